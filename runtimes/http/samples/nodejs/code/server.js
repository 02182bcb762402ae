const http = require("http");

http.createServer((request, response) => {
	const pieces = [];
	request.on("data", (piece) => pieces.push(piece));
	request.on("end", () => {
		const body = Buffer.concat(pieces).toString() || "{}";
		console.log(request.method, request.url, request.headers["x-cff-request-id"]);
		response.setHeader("Content-Type", "application/json");
		response.end(`{"from":"nodejs","event":${body}}`);
	});
}).listen(8000, "127.0.0.1");
