<?php // A worker that pulls, in PHP 7.3 or newer. Numbers: integers of 64 bits; larger ones are rounded.
function call(string $path, $body) {
    $url = (getenv('LONGSHORE_URL') ?: 'http://127.0.0.1:8080') . $path;
    $http = ['method' => 'POST', 'header' => 'content-type: application/json', 'timeout' => 30, 'ignore_errors' => true];
    $http['content'] = json_encode($body, JSON_PRESERVE_ZERO_FRACTION);
    for (;; sleep(1)) { // the server is away
        $answer = @file_get_contents($url, false, stream_context_create(['http' => $http]));
        $status = $answer === false ? '' : explode(' ', $http_response_header[0])[1];
        if (in_array($status, ['200', '409'])) return json_decode($answer)->data; // 409: too late, nothing was changed
    }
}
$ask = ['kinds' => ['conformance'], 'max' => 10, 'wait' => '20s', 'worker' => 'php'];
while (true) foreach (call('/v1/leases', $ask)->tasks as $task) {
    $work = $task->payload; // from here on it is your own work
    if ($work->do === 'sleep') usleep($work->ms * 1000);
    $error = ['class' => $work->class ?? null, 'message' => $work->message ?? null];
    if ($work->do === 'fail') call("/v1/leases/$task->lease/fail", ['error' => $error]);
    else call("/v1/leases/$task->lease/complete", ['result' => $work->value ?? null]);
}
