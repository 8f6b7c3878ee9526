// A worker that pulls, in Go 1.18 or newer. A value that is only passed on stays text: every digit is kept.
package main
import ("bytes"; "encoding/json"; "net/http"; "os"; "time")
type Work struct { Do, Class, Message string; Value json.RawMessage; Ms time.Duration }
type Answer struct { Data struct { Tasks []struct { Lease string; Payload Work } } }
func call(path string, body map[string]any) (answer Answer) {
	url := os.Getenv("LONGSHORE_URL"); if url == "" { url = "http://127.0.0.1:8080" }
	text, _ := json.Marshal(body)
	for ; ; time.Sleep(time.Second) { // the server is away
		got, err := http.Post(url+path, "application/json", bytes.NewReader(text))
		if err == nil { err = json.NewDecoder(got.Body).Decode(&answer); got.Body.Close() }
		if err == nil && (got.StatusCode == 200 || got.StatusCode == 409) { return } // 409: too late, nothing was changed
	}
}
func main() { for { for _, task := range call("/v1/leases", map[string]any{"kinds": []string{"conformance"}, "max": 10, "wait": "20s", "worker": "go"}).Data.Tasks {
	work, end, told := task.Payload, "complete", map[string]any{"result": task.Payload.Value} // from here on it is your own work
	if work.Do == "sleep" { time.Sleep(work.Ms * time.Millisecond) }
	if work.Do == "fail" { end, told = "fail", map[string]any{"error": map[string]string{"class": work.Class, "message": work.Message}} }
	call("/v1/leases/"+task.Lease+"/"+end, told)
} } }
