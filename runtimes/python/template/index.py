# Called once for each event. What is returned is the response; what is printed is the log.


def handler(event, context):
    name = event.get("name", "world") if isinstance(event, dict) else "world"
    print("greeting", name)
    return {"message": f"Hello, {name}!", "request_id": context.getRequestID()}
