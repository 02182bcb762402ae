# SPDX-License-Identifier: Apache-2.0
"""Directory trees as the tests of publishing need them: made with something of everything, and compared."""

import os
import stat


def picture(root):
	"""All that there is below a directory: kinds, modes, owners, times, sizes, contents, links."""
	seen, groups = {}, {}
	for path, directories, names in os.walk(root):
		for name in ['.'] + [n for n in directories + names if n != '.git']:
			file = os.path.join(path, name)
			st = os.lstat(file)
			relative = os.path.relpath(file, root)
			entry = [oct(st.st_mode), st.st_uid, st.st_gid, st.st_mtime_ns]
			if stat.S_ISREG(st.st_mode):
				with open(file, 'rb') as content:
					entry += [st.st_size, content.read()]
				if st.st_nlink > 1:
					groups.setdefault((st.st_dev, st.st_ino), set()).add(relative)
			elif stat.S_ISLNK(st.st_mode):
				entry.append(os.readlink(file))
			seen[relative] = entry
		directories[:] = [n for n in directories if n != '.git']
	linked = sorted(sorted(names) for names in groups.values() if len(names) > 1)
	return seen, linked


def compare(before, after):
	"""Raises a sentence that names what differs."""
	if before == after:
		return
	missing = sorted(set(before[0]) - set(after[0]))
	more = sorted(set(after[0]) - set(before[0]))
	other = [(name, [repr(x)[:80] for x in before[0][name]], [repr(x)[:80] for x in after[0][name]])
		for name in before[0] if name in after[0] and before[0][name] != after[0][name]]
	raise AssertionError('missing %r, more %r, other %r, links %r and %r'
		% (missing[:5], more[:5], other[:5], before[1][:5], after[1][:5]))


def plant(root):
	"""Something of everything that a version keeps."""
	def put(name, data, mode=0o644, mtime_ns=None):
		path = os.path.join(root, name)
		os.makedirs(os.path.dirname(path), exist_ok=True)
		with open(path, 'wb') as file:
			file.write(data)
		os.chmod(path, mode)
		if mtime_ns:
			os.utime(path, ns=(mtime_ns, mtime_ns))

	put('plain.txt', b'hello\n', mtime_ns=1_000_000_000_123_456_789)
	put('empty', b'')
	put('tool', b'#!/bin/sh\n', 0o755)
	put('secret', b'x' * 10, 0o600)
	put('read-only', b'y', 0o444)
	put('old', b'z', mtime_ns=1)
	put('big', bytes(range(256)) * 4 * 1024 * 3 + b'tail')   # three chunks and a bit
	put('noise', os.urandom(300_000))
	put('line\nbreak', b'newline in the name')
	put('sp ace "quote" \\ back', b'')
	put(b'not utf-8 \xff\xfe'.decode('utf-8', 'surrogateescape'), b'bytes')
	put('ümläut', 'größe'.encode())
	put('n' * 255, b'longest')
	put('deep/er/and/deeper/file', b'down here')
	put('-rf', b'a name that looks like an option')
	os.makedirs(os.path.join(root, 'empty directory', 'in it'))
	os.mkdir(os.path.join(root, 'closed'))
	os.mkdir(os.path.join(root, 'sticky'))
	put('linked/a', b'one file, three names')
	os.link(os.path.join(root, 'linked/a'), os.path.join(root, 'linked/b'))
	os.link(os.path.join(root, 'linked/a'), os.path.join(root, 'deep/c'))
	put('twin/1', b'same content, two files')
	put('twin/2', b'same content, two files')
	for target, name in (('plain.txt', 'link'), ('/nowhere', 'dangling'), ('..', 'up'), ('x' * 1000, 'long')):
		os.symlink(target, os.path.join(root, name))
	os.utime(os.path.join(root, 'link'), ns=(5, 5), follow_symlinks=False)
	sparse = os.path.join(root, 'sparse')
	with open(sparse, 'wb') as file:
		file.truncate(5 << 20)
		file.seek(3 << 20)
		file.write(b'island')
	for name in range(300):
		put('many/%03d' % name, b'%d' % name)
	os.utime(os.path.join(root, 'empty directory'), ns=(7, 7_000_000_007))
	os.chmod(os.path.join(root, 'sticky'), 0o1777)
	os.chmod(os.path.join(root, 'closed'), 0o700)
