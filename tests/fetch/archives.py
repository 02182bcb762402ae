# SPDX-License-Identifier: Apache-2.0
"""Archives made on the spot, good ones and bad ones, each as bytes."""

import io
import lzma
import gzip
import struct
import subprocess
import tarfile
import zipfile


def member(name, data=b'', kind=tarfile.REGTYPE, link='', mode=0o644, **more):
	info = tarfile.TarInfo(name)
	info.type, info.linkname, info.mode = kind, link, mode
	info.mtime, info.size = 1000000000, len(data)
	for key, value in more.items():
		setattr(info, key, value)
	return info, data


def directory(name, mode=0o755):
	return member(name, kind=tarfile.DIRTYPE, mode=mode)


def symlink(name, target):
	return member(name, kind=tarfile.SYMTYPE, link=target)


def hard_link(name, target):
	return member(name, kind=tarfile.LNKTYPE, link=target)


def tar(*members, form=tarfile.PAX_FORMAT):
	out = io.BytesIO()
	with tarfile.open(fileobj=out, mode='w', format=form) as archive:
		for info, data in members:
			archive.addfile(info, io.BytesIO(data))
	return out.getvalue()


def zipped(*members, links=()):
	"""Members are (name, data) or (name, data, unix mode)."""
	out = io.BytesIO()
	with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as archive:
		for name, data, *mode in members:
			info = zipfile.ZipInfo(name, (2001, 9, 9, 1, 46, 40))
			info.external_attr = (mode[0] if mode else 0o100644) << 16
			info.compress_type = zipfile.ZIP_DEFLATED
			archive.writestr(info, data)
	return out.getvalue()


def zstd(data):
	"""One raw block after another: a frame needs no more to be a frame."""
	out = [struct.pack('<IBB', 0xfd2fb528, 0, 0x58)]  # one window of 2 MiB, nothing else
	pieces = [data[at:at + 65536] for at in range(0, len(data), 65536)] or [b'']
	for i, piece in enumerate(pieces):
		head = len(piece) << 3 | (i == len(pieces) - 1)
		out.append(struct.pack('<I', head)[:3] + piece)
	return b''.join(out)


def packed(data, how):
	return {'': bytes, '.gz': gzip.compress, '.xz': lzma.compress, '.zst': zstd}[how](data)


def encrypted_zip(name, data):
	"""The flag is what counts; the bytes are no secret."""
	whole = bytearray(zipped((name, data)))
	for signature, offset in (b'PK\3\4', 6), (b'PK\1\2', 8):
		at = whole.index(signature)
		whole[at + offset] |= 1
	return bytes(whole)


def zip_renamed(name, other):
	"""A name that zipfile itself would not write."""
	assert len(name) == len(other)
	return zipped((name, b'x')).replace(name.encode(), other.encode())
