# A worker that pulls, in Ruby 2.7 or newer. Numbers: integers of any size.
require "json"
require "net/http"
def call(path, body)
  url = URI(ENV.fetch("LONGSHORE_URL", "http://127.0.0.1:8080") + path)
  loop do
    answer = Net::HTTP.post(url, JSON.generate(body), "content-type" => "application/json") rescue nil
    return JSON.parse(answer.body)["data"] if ["200", "409"].include?(answer&.code) # 409: too late, nothing was changed
    sleep 1 # the server is away
  end
end
loop do
  call("/v1/leases", { kinds: ["conformance"], max: 10, wait: "20s", worker: "ruby" })["tasks"].each do |task|
    work = task["payload"] # from here on it is your own work
    sleep work["ms"] / 1000.0 if work["do"] == "sleep"
    told = work["do"] == "fail" ? { error: work.slice("class", "message") } : { result: work["value"] }
    call("/v1/leases/#{task["lease"]}/#{work["do"] == "fail" ? "fail" : "complete"}", told)
  end
end
