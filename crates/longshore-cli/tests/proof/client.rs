//! A client that knows just enough HTTP/1.1: one connection kept alive, one request at a time.

use serde_json::Value;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No answer of the server takes longer than this, unless it is asked to wait.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Client {
    addr: SocketAddr,
    patience: Duration,
    stream: Option<TcpStream>,
    left_over: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn new(addr: SocketAddr) -> Self {
        Self::patient(addr, PATIENCE)
    }

    /// A client that waits so long for an answer.
    pub(crate) fn patient(addr: SocketAddr, patience: Duration) -> Self {
        Self { addr, patience, stream: None, left_over: Vec::new() }
    }

    pub(crate) fn get(&mut self, path: &str) -> Result<Answer> {
        self.send("GET", path, &[], b"")
    }

    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Result<Answer> {
        let headers = [("content-type", "application/json")];
        self.send("POST", path, &headers, body.to_string().as_bytes())
    }

    /// Sends one request. An error says nothing about whether the server did what was asked.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer> {
        let answer = self.exchange(method, path, headers, body);
        if answer.is_err() {
            self.stream = None;
            self.left_over.clear();
        }
        answer
    }

    fn exchange(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.addr);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if method != "GET" || !body.is_empty() {
            request.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        let stream = self.connected()?;
        let mut bytes = request.into_bytes();
        bytes.extend(body);
        // A server may answer and close before it has read a body that is too big.
        let sent = stream.write_all(&bytes);
        match self.receive(method == "HEAD") {
            Ok(answer) => Ok(answer),
            Err(error) => sent.and(Err(error)),
        }
    }

    fn connected(&mut self) -> Result<&mut TcpStream> {
        if self.stream.is_none() {
            let stream = TcpStream::connect_timeout(&self.addr, Duration::from_secs(2))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(self.patience))?;
            stream.set_write_timeout(Some(self.patience))?;
            self.stream = Some(stream);
        }
        self.stream.as_mut().ok_or_else(|| ErrorKind::NotConnected.into())
    }

    fn receive(&mut self, no_body: bool) -> Result<Answer> {
        let head_len = loop {
            if let Some(at) = self.left_over.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more()?;
        };
        let head: Vec<u8> = self.left_over.drain(..head_len).collect();
        let head = String::from_utf8_lossy(&head);
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok())
            .ok_or_else(|| Error::new(ErrorKind::InvalidData, "no status line"))?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut answer = Answer { status, headers, body: Vec::new() };

        if !no_body && status != 204 {
            answer.body = if answer.header("transfer-encoding") == Some("chunked") {
                self.chunks()?
            } else {
                let len = answer.header("content-length").and_then(|len| len.parse().ok());
                self.take(len.unwrap_or(0))?
            };
        }
        if answer.header("connection") == Some("close") {
            self.stream = None;
            self.left_over.clear();
        }
        Ok(answer)
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line_len = loop {
                if let Some(at) = self.left_over.windows(2).position(|two| two == b"\r\n") {
                    break at;
                }
                self.more()?;
            };
            let line = self.take(line_len + 2)?;
            let size = String::from_utf8_lossy(&line[..line_len]);
            let size = usize::from_str_radix(size.trim(), 16)
                .map_err(|_| Error::new(ErrorKind::InvalidData, "bad size of a chunk"))?;
            let chunk = self.take(size + 2)?;
            if size == 0 {
                return Ok(body);
            }
            body.extend(&chunk[..size]);
        }
    }

    fn take(&mut self, len: usize) -> Result<Vec<u8>> {
        while self.left_over.len() < len {
            self.more()?;
        }
        Ok(self.left_over.drain(..len).collect())
    }

    fn more(&mut self) -> Result<()> {
        let stream = self.stream.as_mut().ok_or(ErrorKind::NotConnected)?;
        let mut buffer = [0; 16 * 1024];
        match stream.read(&mut buffer)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            n => {
                self.left_over.extend(&buffer[..n]);
                Ok(())
            }
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The whole body; `null` if it is not JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// What is inside the envelope.
    pub(crate) fn data(&self) -> Value {
        self.json()["data"].take()
    }
}
