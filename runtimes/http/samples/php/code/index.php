<?php
// Every request comes here, whatever its path.
$body = file_get_contents('php://input');
if ($body === '')
	$body = '{}';
header('Content-Type: application/json');
echo '{"from":"php","event":', $body, '}';
