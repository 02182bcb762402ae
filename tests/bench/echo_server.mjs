// SPDX-License-Identifier: Apache-2.0
// The bare floor of Node.js: an HTTP server that sends back what it is sent. Prints its port.
import { createServer } from "node:http";

const server = createServer((request, response) => {
	const parts = [];
	request.on("data", (part) => parts.push(part));
	request.on("end", () => {
		const body = Buffer.concat(parts);
		response.writeHead(200, { "Content-Type": "application/json", "Content-Length": body.length });
		response.end(body);
	});
});
server.keepAliveTimeout = 0;
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
