//! Events reach whom they are for, on the wire.

use super::*;
use serde_json::json;
use std::io::Read as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// A receiver that answers with these statuses, one after the other and then the last, and keeps what it got.
fn receiver(statuses: &'static [u16]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let log = Arc::new(Mutex::new(Vec::new()));
    let got = log.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let (mut text, mut buffer) = (String::new(), [0; 4096]);
            loop {
                let read = stream.read(&mut buffer).unwrap_or(0);
                text += &String::from_utf8_lossy(&buffer[..read]);
                let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                    body.len() >= length.unwrap_or(0)
                });
                if whole || read == 0 {
                    break;
                }
            }
            let mut log = got.lock().expect("not poisoned");
            let status = statuses.get(log.len()).or(statuses.last()).copied().unwrap_or(200);
            log.push(text);
            let _ = write!(stream, "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        }
    });
    (url, log)
}

fn send(sinks: &Sinks, events: &[Value]) -> (Vec<String>, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let out = RefCell::new(String::new());
    let warnings = runtime.block_on(sinks.send(events, &|line| out.borrow_mut().push_str(line)));
    (warnings, out.into_inner())
}

#[test]
fn a_stream_and_a_file_get_one_event_a_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("events.jsonl");
    let sinks = Sinks::open(&["-".into(), path.to_string_lossy().into_owned()]).expect("sinks");
    let (warnings, out) = send(&sinks, &[json!({"id": 1}), json!({"id": 2})]);
    assert_eq!((warnings, out.as_str()), (vec![], "{\"id\":1}\n{\"id\":2}\n"));
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), out, "the same");
    send(&sinks, &[json!({"id": 3})]);
    assert_eq!(std::fs::read_to_string(&path).expect("a file").lines().count(), 3, "appended");
}

#[test]
fn a_url_gets_cloudevents_and_another_try() {
    let (url, log) = receiver(&[503, 202]);
    let sinks = Sinks::open(&[format!("{}/v1/event?x=1", url.replace("://", "://ci:secret@"))]).expect("sinks");
    assert_eq!(send(&sinks, &[json!({"id": "a"})]).0, [] as [String; 0]);
    let log = log.lock().expect("not poisoned");
    assert_eq!(log.len(), 2, "{log:?}");
    let (head, body) = log[1].split_once("\r\n\r\n").expect("a request");
    assert!(head.starts_with("POST /v1/event?x=1 HTTP/1.1\r\n"), "{head}");
    let head = head.to_lowercase();
    assert!(head.contains("content-type: application/cloudevents+json"), "{head}");
    assert!(head.contains("authorization: basic"), "{head}");
    assert_eq!(body, r#"{"id":"a"}"#);
}

#[test]
fn a_receiver_that_fails_is_warned_of_once() {
    let (url, log) = receiver(&[400]);
    let sinks = Sinks::open(&[url.replace("://", "://ci:secret@")]).expect("sinks");
    let (warnings, _) = send(&sinks, &[json!({"id": 1}), json!({"id": 2})]);
    assert_eq!(warnings, [format!("events do not reach {url}: HTTP 400; the delivery goes on")]);
    assert_eq!(log.lock().expect("not poisoned").len(), 2, "what is refused is not repeated, and the next is sent");
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let sinks = Sinks::open(&[format!("http://{closed}")]).expect("sinks");
    let (warnings, _) = send(&sinks, &[json!({})]);
    assert_eq!(warnings, [format!("events do not reach http://{closed}: connection refused; the delivery goes on")]);
}

#[test]
fn what_cannot_be_opened_is_said_before_anything_begins() {
    let open = |name: &str| Sinks::open(&[name.into()]).err().expect("refused").message;
    assert_eq!(open("no/such/directory/events"), "cannot write events to `no/such/directory/events`");
    assert_eq!(open("http://"), "`http://` is not the URL of a receiver of events");
}
