/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What code inside a sandbox can see and do, tried from inside. `probe WHAT...` prints a line for each
 * thing that is not as it must be, and ends with `probed WHAT`.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void bad(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void bad(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("BAD: ");
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
}

/* The call must have failed with one of two errnos. */
static void refused(const char *what, long result, int error, int otherwise)
{
	if (result >= 0)
		bad("%s is allowed", what);
	else if (errno != error && errno != otherwise)
		bad("%s: %s", what, strerror(errno));
}

static void probe_identity(void)
{
	if (getuid() != 1003 || geteuid() != 1003 || getgid() != 1003 || getegid() != 1003)
		bad("user %d group %d", (int)getuid(), (int)getgid());
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		bad("privileges can be gained");
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 2)
		bad("no filter of system calls");
	for (int capability = 0; capability < 40; capability++)
		if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1)
			bad("capability %d can be had", capability);
	refused("setuid(0)", setuid(0), EPERM, EINVAL);
}

static void probe_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		int fd = atoi(entry->d_name);

		if (isdigit((unsigned char)entry->d_name[0]) && fd > 4 && fd != dirfd(directory))
			bad("descriptor %d is open", fd);
	}
	for (int fd = 0; fd < 5; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			bad("descriptor %d is not open", fd);
}

static void probe_processes(void)
{
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	char text[64];

	while (directory && (entry = readdir(directory)))
		if (isdigit((unsigned char)entry->d_name[0]) && atoi(entry->d_name) > 8)
			bad("process %s can be seen", entry->d_name);
	refused("reading init's environment", open("/proc/1/environ", O_RDONLY), EACCES, EPERM);
	refused("looking at init's descriptors", readlink("/proc/1/fd/6", text, sizeof(text)),
	        EACCES, EPERM);
	refused("following init's root", open("/proc/1/root/tmp", O_RDONLY), EACCES, EPERM);
	kill(1, SIGKILL);
	kill(1, SIGTERM);
}

static void write_refused(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	if (fd >= 0)
		bad("%s can be written", path);
	else if (errno != EROFS && errno != EACCES && errno != EPERM && errno != ENOENT)
		bad("writing %s: %s", path, strerror(errno));
}

static void probe_files(void)
{
	static const char *const places[] = {"/x", "/opt/x", "/opt/function/x",
	        "/opt/function/code/x", "/var/task/x", "/opt/fnfs/runtime/x", "/opt/fnfs/init",
	        "/usr/x", "/usr/bin/x", "/etc/x", "/etc/passwd", "/dev/x", "/run/x", "/var/x",
	        "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger",
	        "/proc/self/oom_score_adj_of_another"};
	struct statvfs st;
	int fd = open("/tmp/x", O_CREAT | O_RDWR, 0600);

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		write_refused(places[i]);
	if (fd < 0 || write(fd, "x", 1) != 1)
		bad("/tmp cannot be written: %s", strerror(errno));
	if (statvfs("/tmp", &st) < 0 || st.f_blocks * st.f_frsize > (512UL << 20))
		bad("/tmp has no bound");
	if (statvfs("/dev/shm", &st) < 0 || st.f_blocks * st.f_frsize > (512UL << 20))
		bad("/dev/shm has no bound");
}

static void probe_hidden(char **paths)
{
	static const char *const places[] = {"/home", "/root", "/sys", "/boot", "/srv", "/mnt",
	        "/media", "/var/lib", "/etc/shadow", "/etc/hostname", "/etc/machine-id",
	        "/run/user", "/run/dbus", "/dev/sda", "/dev/mem", "/dev/kmsg", "/dev/fuse",
	        "/dev/tty", "/dev/ptmx", "/oldroot", "/newroot"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], F_OK) == 0)
			bad("%s can be seen", places[i]);
	for (; *paths; paths++)
		if (access(*paths, F_OK) == 0)
			bad("%s can be seen", *paths);
}

static long clone_with(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	return pid;
}

static void probe_calls(void)
{
	char text[64];
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	refused("mount", mount("none", "/tmp", "tmpfs", 0, NULL), EPERM, EPERM);
	refused("umount", umount2("/tmp", MNT_DETACH), EPERM, EPERM);
	refused("pivot_root", syscall(SYS_pivot_root, ".", "."), EPERM, EPERM);
	refused("open_tree", syscall(428, AT_FDCWD, "/", 1), EPERM, EPERM);
	refused("fsopen", syscall(430, "tmpfs", 0), EPERM, EPERM);
	refused("chroot", chroot("/tmp"), EPERM, EPERM);
	refused("unshare(user)", unshare(CLONE_NEWUSER), EPERM, EPERM);
	refused("unshare(mount)", unshare(CLONE_NEWNS), EPERM, EPERM);
	refused("unshare(network)", unshare(CLONE_NEWNET), EPERM, EPERM);
	refused("clone(user)", clone_with(CLONE_NEWUSER), EPERM, EPERM);
	refused("clone(pid)", clone_with(CLONE_NEWPID), EPERM, EPERM);
	refused("clone3", syscall(435, NULL, 0), ENOSYS, ENOSYS);
	refused("setns", setns(0, 0), EPERM, EPERM);
	refused("ptrace", ptrace(PTRACE_ATTACH, child, NULL, NULL), EPERM, EPERM);
	refused("process_vm_readv", syscall(SYS_process_vm_readv, child, NULL, 0, NULL, 0, 0),
	        EPERM, EPERM);
	refused("bpf", syscall(SYS_bpf, 0, text, sizeof(text)), EPERM, EPERM);
	refused("perf_event_open", syscall(SYS_perf_event_open, text, 0, -1, -1, 0), EPERM, EPERM);
	refused("userfaultfd", syscall(SYS_userfaultfd, 1), EPERM, EPERM);
	refused("io_uring_setup", syscall(425, 1, text), ENOSYS, ENOSYS);
	refused("keyctl", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, -3, 0), EPERM, EPERM);
	refused("add_key", syscall(SYS_add_key, "user", "x", "x", 1, -3), EPERM, EPERM);
	refused("open_by_handle_at", syscall(SYS_open_by_handle_at, 0, text, 0), EPERM, EPERM);
	refused("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0), EPERM, EPERM);
	refused("init_module", syscall(SYS_init_module, NULL, 0, ""), EPERM, EPERM);
	refused("reboot", syscall(SYS_reboot, 0, 0, 0, NULL), EPERM, EPERM);
	refused("TIOCSTI", ioctl(0, TIOCSTI, "x"), EPERM, EPERM);
	refused("TIOCSTI behind high bits", syscall(SYS_ioctl, 0, TIOCSTI | 0x100000000UL, "x"),
	        EPERM, EPERM);
	refused("mknod of a device", mknod("/tmp/null", S_IFCHR | 0666, 0x103), EPERM, EPERM);
	if (kill(child, SIGKILL) < 0 || waitpid(child, NULL, 0) != child)
		bad("a child of ours cannot be ended");
}

static void probe_sockets(void)
{
	refused("packet socket", socket(AF_PACKET, SOCK_RAW, 0), EAFNOSUPPORT, EAFNOSUPPORT);
	refused("raw socket", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM, EPERM);
	refused("raw socket, close-on-exec", socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, 58), EPERM,
	        EPERM);
	refused("netfilter", socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER), EAFNOSUPPORT,
	        EAFNOSUPPORT);
	refused("vsock", socket(40, SOCK_STREAM, 0), EAFNOSUPPORT, EAFNOSUPPORT);
	refused("kernel crypto", socket(38, SOCK_SEQPACKET, 0), EAFNOSUPPORT, EAFNOSUPPORT);
	if (socket(AF_UNIX, SOCK_STREAM, 0) < 0 || socket(AF_INET, SOCK_STREAM, 0) < 0 ||
	        socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) < 0)
		bad("an ordinary socket is refused: %s", strerror(errno));
}

/* The loopback works, and is all there is. */
static void probe_network(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
	struct if_nameindex *interfaces = if_nameindex();
	socklen_t length = sizeof(address);
	int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);

	for (int i = 0; interfaces && interfaces[i].if_name; i++)
		if (strcmp(interfaces[i].if_name, "lo"))
			bad("interface %s can be seen", interfaces[i].if_name);
	if (bind(server, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	        listen(server, 1) < 0 ||
	        getsockname(server, (struct sockaddr *)&address, &length) < 0 ||
	        connect(client, (struct sockaddr *)&address, length) < 0)
		bad("the loopback does not work: %s", strerror(errno));
	address.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1 */
	client = socket(AF_INET, SOCK_DGRAM, 0);
	refused("a way out", connect(client, (struct sockaddr *)&address, length), ENETUNREACH,
	        ENETUNREACH);
}

/* Forks until it may not any more, and says how far it came. */
static void fork_all(void)
{
	int count = 0;
	pid_t pid;

	while (count < 10000 && (pid = fork()) >= 0) {
		if (pid == 0) {
			pause();
			_exit(0);
		}
		count++;
	}
	printf("forked %d: %s\n", count, strerror(errno));
	fflush(stdout);
}

static void eat(const char *megabytes)
{
	size_t size = strtoul(megabytes, NULL, 10) << 20;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < size; i += 4096)
		memory[i] = 1;
	printf("ate %s\n", megabytes);
	fflush(stdout);
	pause();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} probes[] = {
	        {"identity", probe_identity},
	        {"descriptors", probe_descriptors},
	        {"processes", probe_processes},
	        {"files", probe_files},
	        {"calls", probe_calls},
	        {"sockets", probe_sockets},
	        {"network", probe_network},
	        {"fork", fork_all},
	};

	if (argc < 2)
		return 2;
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++)
		if (!strcmp(argv[1], probes[i].name))
			probes[i].run();
	if (!strcmp(argv[1], "hidden"))
		probe_hidden(argv + 2);
	if (!strcmp(argv[1], "eat"))
		eat(argv[2]);
	printf("probed %s\n", argv[1]);
	return 0;
}
