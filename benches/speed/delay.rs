//! A distant server: a relay on loopback that holds every byte back.
//!
//! It models the time that light needs, and nothing else. What is sent arrives half a round trip later; the first bytes
//! of a client wait for one more round trip, because the connection to the relay itself is open at once and a real one
//! would not be. It does not model a window that opens slowly, which lengthens answers above some 14 KB, nor packets that
//! wait for an acknowledgement, which punishes a client that leaves Nagle's algorithm on.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Starts a relay to `server` and returns its address.
pub fn start(server: String, round_trip: Duration) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A connection that cannot be relayed is dropped, and the client sees that.
            let _ = relay(client, &server, round_trip);
        }
    });
    Ok(address)
}

fn relay(client: TcpStream, server: &str, round_trip: Duration) -> std::io::Result<()> {
    let server = TcpStream::connect(server)?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let open = Instant::now() + round_trip;
    one_way(client.try_clone()?, server.try_clone()?, open, round_trip / 2);
    one_way(server, client, open, round_trip / 2);
    Ok(())
}

/// Passes on what arrives, `delay` later, and nothing that arrives before `open` as if it had been sent earlier.
fn one_way(mut from: TcpStream, mut to: TcpStream, open: Instant, delay: Duration) {
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let due = Instant::now().max(open) + delay;
            if sender.send((due, buffer[..count].to_vec())).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (due, bytes) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        // The end has no receiver to tell where the other side has gone already.
        let _ = to.shutdown(Shutdown::Write);
    });
}
