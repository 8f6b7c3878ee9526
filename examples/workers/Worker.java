// A worker that pulls, in Java 17 or newer. Java has no JSON of its own, so this takes one task at a time and passes texts on: it relies on
// the order of the fields that the server sends, and on payloads written as {"do":"return","value":…}. Real work wants a JSON library.
import java.net.*; import java.net.http.*; import java.util.regex.*;
class Worker {
    static final Pattern TASK = Pattern.compile("\"payload\":\\{\"do\":\"(\\w+)\",?(.*)\\},\"attempt\":\\d+,\"max_attempts\":.*?\"lease\":\"([^\"]+)\"");
    static final String URL = System.getenv().getOrDefault("LONGSHORE_URL", "http://127.0.0.1:8080"), JSON = "application/json";
    static String call(HttpClient http, String path, String body) throws InterruptedException {
        var sent = HttpRequest.newBuilder(URI.create(URL + path)).header("content-type", JSON).POST(HttpRequest.BodyPublishers.ofString(body));
        for (;; Thread.sleep(1000)) try { // the server is away
            var answer = http.send(sent.build(), HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() == 200 || answer.statusCode() == 409) return answer.body(); // 409: too late, nothing was changed
        } catch (java.io.IOException away) { }
    }
    public static void main(String[] args) throws InterruptedException {
        var http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        for (;;) for (var task = TASK.matcher(call(http, "/v1/leases", "{\"kinds\":[\"conformance\"],\"wait\":\"20s\",\"worker\":\"java\"}")); task.find();) {
            String end = task.group(1).equals("fail") ? "fail" : "complete", rest = task.group(2); // from here on it is your own work
            if (task.group(1).equals("sleep")) Thread.sleep(Long.parseLong(rest.substring(5)));
            call(http, "/v1/leases/" + task.group(3) + "/" + end, end.equals("fail") ? "{\"error\":{" + rest + "}}" : rest.startsWith("\"value\"") ? "{\"result\"" + rest.substring(7) + "}" : "{}");
        } } }
