/* SPDX-License-Identifier: Apache-2.0 */
/* A program that is run once for each call, and sends back what it is sent. */
#include <unistd.h>

int main(void)
{
	char data[4096];
	ssize_t got;

	while ((got = read(0, data, sizeof(data))) > 0)
		if (write(1, data, (size_t)got) != got)
			return 1;
	return got < 0;
}
