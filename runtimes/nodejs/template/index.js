// Called once for each event. What is returned is the response; what is printed is the log.

exports.handler = async (event, context) => {
	const name = event.name ?? 'world';
	console.log('greeting', name);
	return { message: `Hello, ${name}!`, request_id: context.getRequestID() };
};
