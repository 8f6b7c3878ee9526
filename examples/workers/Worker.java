// A worker that pulls, in Java 17 or newer. Java has no JSON of its own, so this takes one task at a time and passes texts on:
// it relies on the order of the fields that the server sends, and on "do" being a payload's first. Real work wants a JSON library.
import java.net.URI; import java.net.http.*; import java.util.regex.*;
class Worker {
    static final Pattern TASK = Pattern.compile("\"payload\":\\{\"do\":\"(\\w+)\",?(.*)\\},\"attempt\":\\d+,\"max_attempts\".*?\"lease\":\"([^\"]+)\"");
    static final String URL = System.getenv().getOrDefault("LONGSHORE_URL", "http://127.0.0.1:8080"), TYPE = "application/json";
    static final HttpClient HTTP = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    static Matcher call(String path, String body) throws InterruptedException {
        var request = HttpRequest.newBuilder(URI.create(URL + path)).header("content-type", TYPE).POST(HttpRequest.BodyPublishers.ofString(body));
        for (;; Thread.sleep(1000)) try { // the server is away
            var answer = HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() == 200 || answer.statusCode() == 409) return TASK.matcher(answer.body()); // 409: too late, nothing was changed
        } catch (java.io.IOException away) { }
    }
    public static void main(String[] args) throws InterruptedException {
        for (;;) for (var task = call("/v1/leases", "{\"kinds\":[\"conformance\"],\"wait\":\"20s\",\"worker\":\"java\"}"); task.find();) {
            String work = task.group(1), rest = task.group(2), lease = "/v1/leases/" + task.group(3); // from here on it is your own work
            if (work.equals("sleep")) Thread.sleep(Long.parseLong(rest.substring("\"ms\":".length())));
            if (work.equals("fail")) call(lease + "/fail", "{\"error\":{" + rest + "}}");
            else call(lease + "/complete", work.equals("return") ? "{\"result\"" + rest.substring("\"value\"".length()) + "}" : "{}"); } } }
