//! Clients of the lab's data plane: single requests, and a steady load.

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers, by name in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

impl Reply {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("JSON: {self:?}"))
    }
}

/// A connection that is kept.
pub struct Client {
    address: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    /// To a URL without a path.
    pub fn new(url: &str) -> Self {
        let address = url.strip_prefix("http://").expect("http").to_owned();
        Self { address, stream: None }
    }

    /// GET, with further header lines.
    #[track_caller]
    pub fn get(&mut self, host: &str, path: &str, headers: &str) -> Reply {
        self.exchange(host, path, headers).expect("an answer")
    }

    fn exchange(&mut self, host: &str, path: &str, headers: &str) -> std::io::Result<Reply> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(&self.address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(super::run::DEADLINE))?;
                BufReader::new(stream)
            }
        };
        stream.get_mut().write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n").as_bytes())?;
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or(std::io::ErrorKind::InvalidData)?;
        let mut found = BTreeMap::new();
        loop {
            line.clear();
            stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            found.insert(name.to_lowercase(), value.to_owned());
        }
        let length = found.get("content-length").and_then(|length| length.parse().ok()).ok_or(std::io::ErrorKind::InvalidData)?;
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        if found.get("connection").is_none_or(|connection| connection != "close") {
            self.stream = Some(stream);
        }
        Ok(Reply { status, headers: found, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

/// Requests at a steady rate, until it is dropped.
pub struct Load {
    over: Arc<AtomicBool>,
    senders: Vec<JoinHandle<()>>,
}

impl Load {
    /// So many requests a second; a server that takes a second delays none but its own.
    pub fn new(url: &str, host: &str, per_second: u32) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let senders = (0..per_second)
            .map(|sender| {
                let (over, mut client, host) = (over.clone(), Client::new(url), host.to_owned());
                // Each sends once a second, one after the other.
                let mut next = Instant::now() + Duration::from_secs(1) * sender / per_second;
                std::thread::spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        std::thread::sleep(next.saturating_duration_since(Instant::now()).min(Duration::from_millis(50)));
                        if Instant::now() >= next {
                            client.get(&host, "/", "");
                            next += Duration::from_secs(1);
                        }
                    }
                })
            })
            .collect();
        Self { over, senders }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for sender in self.senders.drain(..) {
            let failed = sender.join().is_err();
            assert!(!failed || std::thread::panicking(), "a request was not answered");
        }
    }
}
