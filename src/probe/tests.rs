//! The probe, programs and the forwarder against a real server on the loopback.

use super::*;
use crate::core::delivery::shipyard::TestStrategy;
use crate::core::delivery::tests::{Suite, Tally, TestPlan};
use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// What the server does with a request.
enum Act {
    /// A status and a body.
    Answer(u16, String),
    /// Nothing, until the client goes.
    Hang,
    /// Ends the connection in the middle.
    Break,
}

#[derive(Clone, Debug, Default)]
struct Request {
    line: String,
    headers: String,
    body: String,
}

/// A server on a port of its own: one thread a connection, connections kept open.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    fn new(act: impl Fn(&Request, usize) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, act) = (requests.clone(), Arc::new(act));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, act) = (log.clone(), act.clone());
                std::thread::spawn(move || serve(stream, &log, &*act));
            }
        });
        Self { url, requests }
    }

    fn count(&self) -> usize {
        self.requests.lock().expect("not poisoned").len()
    }
}

fn serve(stream: TcpStream, log: &Mutex<Vec<Request>>, act: &dyn Fn(&Request, usize) -> Act) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = Request::default();
        let mut length = 0;
        reader.read_line(&mut request.line).ok().filter(|read| *read > 0)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            if line.trim().is_empty() {
                break;
            }
            let lower = line.to_lowercase();
            if let Some(digits) = lower.strip_prefix("content-length:") {
                length = digits.trim().parse().ok()?;
            }
            request.headers += &lower;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        request.body = String::from_utf8_lossy(&body).into_owned();
        request.line = request.line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
        let number = {
            let mut log = log.lock().ok()?;
            log.push(request.clone());
            log.len()
        };
        match act(&request, number) {
            Act::Answer(status, body) => {
                let length = body.len();
                write!(reader.get_mut(), "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nX-Version: 7\r\n\r\n{body}").ok()?;
            }
            Act::Hang => {
                let _ = reader.read(&mut [0; 1]);
                return None;
            }
            Act::Break => {
                let _ = reader.get_mut().write_all(b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nhalf");
                return None;
            }
        }
    }
}

fn ok() -> Act {
    Act::Answer(200, "ok".into())
}

fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn soon(limit: Duration) -> Instant {
    Instant::now() + limit
}

const LONG: Duration = Duration::from_secs(60);

fn plan(text: &str, strategy: TestStrategy) -> TestPlan {
    Suite::parse("tests.yaml", text).expect("a suite").plan(strategy).expect("a plan").clone()
}

fn functional(text: &str) -> TestPlan {
    plan(text, TestStrategy::Functional)
}

fn performance(text: &str) -> TestPlan {
    plan(text, TestStrategy::Performance)
}

fn probed(server: &Server, plan: &TestPlan, deadline: Instant) -> (Tally, bool, String) {
    let pass = by_url(&server.url, None).expect("a way");
    let tally = block(probe(&*pass, plan, deadline)).expect("a tally");
    let report = plan.report(&tally, 0, 0);
    (tally, report.passed, report.reason)
}

#[test]
fn functional_checks_are_sent_once_each_in_order() {
    let server = Server::new(|_, _| ok());
    let text = "functional: {checks: [/a, {method: POST, path: '/b?x=1', headers: {X-Test: yes it is}, body: {n: 1}}]}";
    let (tally, passed, reason) = probed(&server, &functional(text), soon(LONG));
    assert!(passed, "{reason}");
    assert_eq!((tally.requests, reason.as_str()), (3, "functional: 3 of 3 checks ok (tests.yaml)"));
    let requests = server.requests.lock().expect("not poisoned");
    let lines: Vec<&str> = requests.iter().map(|one| one.line.as_str()).collect();
    assert_eq!(lines, ["GET /health", "GET /a", "POST /b?x=1"]);
    assert_eq!(requests[2].body, r#"{"n":1}"#);
    assert!(requests[2].headers.contains("x-test: yes it is"), "{}", requests[2].headers);
}

#[test]
fn a_sick_version_is_asked_nothing_more() {
    let server = Server::new(|_, _| Act::Answer(503, "down".into()));
    let (_, passed, reason) = probed(&server, &performance("performance: {users: 3}"), soon(LONG));
    assert_eq!((passed, reason.as_str()), (false, "performance: the health check failed: GET /health: HTTP 503 (tests.yaml)"));
    assert_eq!(server.count(), 1);
}

#[test]
fn any_failing_check_fails_and_the_others_are_asked() {
    let server = Server::new(|request, _| match request.line.as_str() {
        "GET /hang" => Act::Hang,
        "GET /break" => Act::Break,
        "GET /missing" => Act::Answer(404, String::new()),
        _ => ok(),
    });
    let text = "timeout: 200ms\nfunctional: {checks: [/hang, /break, /missing, /fine]}";
    let (tally, passed, reason) = probed(&server, &functional(text), soon(LONG));
    assert!(!passed);
    assert_eq!(reason, "functional: 3 of 5 checks failed: GET /hang: no answer within 0.2 s (tests.yaml)");
    assert_eq!((tally.requests, tally.reasons.get("HTTP 404")), (5, Some(&1)));
    assert_eq!(tally.reasons.len(), 3, "{:?}", tally.reasons);
}

#[test]
fn nobody_there_is_a_failure_and_not_an_error() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let server = Server { url: format!("http://{closed}"), requests: Arc::default() };
    let (_, passed, reason) = probed(&server, &functional("functional: {}"), soon(LONG));
    assert!(!passed);
    assert_eq!(reason, "functional: the health check failed: GET /health: connection refused (tests.yaml)");
}

#[test]
fn a_load_is_users_times_loops() {
    let server = Server::new(|_, _| ok());
    let plan = performance("performance: {users: 5, loops: 20, think: 1ms, requests: [/a, /b]}");
    let (tally, passed, reason) = probed(&server, &plan, soon(LONG));
    assert!(passed, "{reason}");
    // The health check, and 5 × 20 × 2.
    assert_eq!((tally.requests, tally.failed, server.count()), (201, 0, 201));
    assert!(reason.starts_with("performance: 201 requests, 0 failed (0 %, allowed 10 %), p50 "), "{reason}");
}

#[test]
fn a_share_of_a_load_may_fail() {
    // The first is the health check; then every tenth fails.
    let server = || Server::new(|_, number| if number > 1 && number % 10 == 0 { Act::Answer(500, String::new()) } else { ok() });
    let text = |allowed: &str| format!("performance: {{users: 2, loops: 100, think: 0s, allowedErrors: {allowed}}}");
    let (tally, passed, reason) = probed(&server(), &performance(&text("10%")), soon(LONG));
    assert!(passed, "{reason}");
    assert_eq!((tally.requests, tally.failed), (201, 20));
    let (tally, passed, reason) = probed(&server(), &performance(&text("2%")), soon(LONG));
    assert!(!passed && reason.contains("allowed 2 %), mostly HTTP 500"), "{reason}");
    // More than 2 % of 200 have failed with the fifth; what is on its way ends.
    assert!(tally.failed >= 5 && tally.requests < 100, "{} of {}", tally.failed, tally.requests);
}

#[test]
fn a_load_by_duration_ends_by_itself() {
    let server = Server::new(|_, _| ok());
    let plan = performance("performance: {users: 3, duration: 300ms, think: 5ms}");
    let (tally, passed, reason) = probed(&server, &plan, soon(LONG));
    assert!(passed && !tally.late, "{reason}");
    assert!(tally.requests > 3, "{reason}");
}

#[test]
fn slow_answers_are_measured() {
    let server = Server::new(|request, _| {
        if request.line == "GET /slow" {
            std::thread::sleep(Duration::from_millis(60));
        }
        ok()
    });
    let plan = performance("performance: {users: 4, loops: 5, think: 0s, requests: [/slow]}");
    let (tally, passed, reason) = probed(&server, &plan, soon(LONG));
    let latency = tally.latencies.latency().expect("figures");
    assert!(passed, "{reason}");
    assert!(latency.p50 >= 60.0 && latency.p95 >= latency.p50 && latency.max >= latency.p95, "{latency:?}");
}

#[test]
fn tests_that_hang_end_with_their_deadline() {
    let server = Server::new(|_, number| if number < 4 { ok() } else { Act::Hang });
    let plan = performance("timeout: 1h\nperformance: {users: 2, loops: 10, think: 0s}");
    let (tally, passed, reason) = probed(&server, &plan, soon(Duration::from_millis(1500)));
    assert!(tally.late && !passed);
    assert_eq!(reason, "performance: did not end in time: 3 requests were sent (tests.yaml)");
}

#[test]
fn the_ingress_is_asked_by_address_with_the_name_that_it_knows() {
    let server = Server::new(|_, _| ok());
    let pass = by_url(&server.url, Some("carts.production.203.0.113.7.xip.io")).expect("a way");
    let tally = block(probe(&*pass, &functional("functional: {}"), soon(LONG))).expect("a tally");
    assert_eq!((tally.requests, tally.failed), (1, 0));
    let requests = server.requests.lock().expect("not poisoned");
    assert!(requests[0].headers.contains("host: carts.production.203.0.113.7.xip.io\r\n"), "{}", requests[0].headers);
}

// ---- programs ------------------------------------------------------------------------------------------------------

fn words(line: &str) -> Vec<String> {
    ["sh", "-c", line].map(String::from).to_vec()
}

fn ran(line: &str, limit: Duration) -> (Ended, String) {
    let told = RefCell::new(String::new());
    let environment = [("TARGET_URL".to_owned(), "http://x".to_owned())];
    let say = |line: &str| told.borrow_mut().push_str(&format!("{line}\n"));
    let ended = block(run(&words(line), &environment, soon(limit), &say)).expect("it starts");
    (ended, told.into_inner())
}

#[test]
fn a_programs_output_and_end_are_told() {
    let (ended, told) = ran("echo to $TARGET_URL; echo warn >&2; printf 'no end'", LONG);
    assert_eq!(ended.failure, None);
    let mut lines: Vec<&str> = told.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["no end", "to http://x", "warn"]);
    assert_eq!(ended.output.len(), 3);
    assert_eq!(ran("exit 3", LONG).0.failure.as_deref(), Some("ended with exit code 3"));
    assert_eq!(ran("kill -9 $$", LONG).0.failure.as_deref(), Some("ended by signal 9"));
}

#[test]
fn much_output_is_kept_in_bounds() {
    let (ended, _) = ran("i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; printf '%05000d' 1", LONG);
    assert_eq!(ended.output.len(), 40);
    assert!(ended.output.iter().all(|line| line.len() <= 2000));
    assert_eq!(ended.output.iter().rev().nth(3).map(String::as_str), Some("line 499"));
    let (ended, told) = ran("printf '10%%\\r50%%\\r100%%\\n'", LONG);
    assert_eq!((ended.output, told.as_str()), (vec!["100%".to_owned()], "100%\n"));
}

#[cfg(unix)]
#[test]
fn a_program_that_hangs_ends_with_all_that_it_started() {
    let (ended, told) = ran("sleep 1000 & echo $!; wait", Duration::from_millis(500));
    assert_eq!(ended.failure.as_deref(), Some("did not end in time"));
    gone(told.trim());
    // What it leaves behind holds the pipe open, but not the delivery.
    let (ended, told) = ran("sleep 1000 & echo $!", LONG);
    assert_eq!(ended.failure, None);
    gone(told.trim());
}

/// Waits until a process is no longer running.
#[cfg(unix)]
fn gone(id: &str) {
    let id = rustix::process::Pid::from_raw(id.parse().expect("a process id")).expect("a process id");
    let deadline = soon(Duration::from_secs(10));
    loop {
        let zombie =
            std::fs::read_to_string(format!("/proc/{}/stat", id.as_raw_nonzero())).is_ok_and(|stat| stat.contains(") Z "));
        if zombie || rustix::process::test_kill_process(id).is_err() {
            return;
        }
        assert!(Instant::now() < deadline, "process {id:?} is still there");
        std::thread::yield_now();
    }
}

#[test]
fn a_program_that_is_not_there_is_said() {
    let error = block(run(&["no-such-program-here".into()], &[], soon(LONG), &|_| {})).expect_err("not there");
    assert_eq!(error.message, "cannot run `no-such-program-here`");
    assert_eq!(error.causes, ["no such file or directory"]);
}

// ---- the forwarder -------------------------------------------------------------------------------------------------

#[test]
fn the_forwarder_passes_requests_and_answers_on() {
    let server = Server::new(|request, _| match request.line.as_str() {
        "GET /teapot" => Act::Answer(418, "short and stout".into()),
        "GET /break" => Act::Break,
        _ => Act::Answer(200, format!("got {}", request.body)),
    });
    let asked = block(async {
        let forwarder = Forwarder::open().await.expect("a port");
        let pass = by_url(&server.url, None).expect("a way");
        let site = by_url(&forwarder.url(), None).expect("a way");
        let ask = async |call: Call| site(call).await.expect("an answer");
        let work = async {
            let post = Call {
                method: http::Method::POST,
                body: bytes::Bytes::from_static(b"hello"),
                headers: headers(&[("X-Own".into(), "1".into())]).expect("headers"),
                ..Call::get("/items?x=%20", LONG)
            };
            (ask(post).await, ask(Call::get("/teapot", LONG)).await, ask(Call::get("/break", LONG)).await)
        };
        tokio::select! {
            asked = work => asked,
            never = forwarder.serve(&*pass, LONG) => match never {},
        }
    });
    let (posted, teapot, broken) = asked;
    assert_eq!((posted.status, posted.text().as_str()), (200, "got hello"));
    assert_eq!(posted.headers.get("x-version").map(HeaderValue::as_bytes), Some(&b"7"[..]));
    assert_eq!((teapot.status, teapot.text().as_str()), (418, "short and stout"));
    assert_eq!(broken.status, 502);
    assert!(broken.text().starts_with("tidegate: "), "{}", broken.text());
    let requests = server.requests.lock().expect("not poisoned");
    assert_eq!((requests[0].line.as_str(), requests[0].body.as_str()), ("POST /items?x=%20", "hello"));
    assert!(requests[0].headers.contains("x-own: 1\r\n"), "{}", requests[0].headers);
    assert!(requests[0].headers.contains(&format!("host: {}\r\n", server.url.trim_start_matches("http://"))));
}

#[test]
fn a_program_reaches_a_version_through_the_forwarder() {
    let server = Server::new(|_, _| ok());
    let ended = block(async {
        let forwarder = Forwarder::open().await.expect("a port");
        let pass = by_url(&server.url, None).expect("a way");
        // Bash alone: a test must not need curl.
        let address = forwarder.url();
        let port = address.rsplit(':').next().expect("a port");
        let line = format!(
            "exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'GET /version HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3"
        );
        let program = ["bash".to_owned(), "-c".to_owned(), line];
        tokio::select! {
            ended = run(&program, &[], soon(LONG), &|_| {}) => ended.expect("it starts"),
            never = forwarder.serve(&*pass, LONG) => match never {},
        }
    });
    assert_eq!(ended.failure, None, "{:?}", ended.output);
    assert_eq!(ended.output.first().map(String::as_str), Some("HTTP/1.1 200 OK"));
    assert_eq!(server.requests.lock().expect("not poisoned")[0].line, "GET /version");
}
