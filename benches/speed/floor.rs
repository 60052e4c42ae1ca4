//! The floor: what the same requests cost a program that does nothing else. Blocking sockets, rustls, HTTP/1.1 by hand;
//! no kubeconfig, no runtime, no kube, no JSON.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The word that makes the benchmark this program.
pub const WORD: &str = "floor";

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Sends the requests in a file, one a line (`METHOD\tPATH\tBODY`), over so many connections, each as soon as the one
/// before it on its connection was answered.
///
/// # Errors
/// For an answer that is no success.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let [target, requests, connections] = arguments else { return Err("floor TARGET REQUESTS CONNECTIONS".into()) };
    let target = Target::read(Path::new(target))?;
    let text = std::fs::read_to_string(requests)?;
    let requests: Vec<&str> = text.lines().collect();
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), Failure> {
        let mut connection = target.connect()?;
        while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
            connection.send(request, &target)?;
        }
        Ok(())
    };
    match connections.parse()? {
        1 => work(),
        many => std::thread::scope(|scope| {
            let threads: Vec<_> = (0..many).map(|_: usize| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
        }),
    }
}

/// A server, and who asks it.
struct Target {
    address: String,
    token: String,
    tls: Arc<ClientConfig>,
}

impl Target {
    /// From a file of the address, the token, and the server's certificates in PEM.
    fn read(file: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file)?;
        let (address, rest) = text.split_once('\n').ok_or("no address")?;
        let (token, pem) = rest.split_once('\n').ok_or("no token")?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { address: address.into(), token: token.into(), tls: Arc::new(tls) })
    }

    fn connect(&self) -> Result<Connection, Failure> {
        let tcp = TcpStream::connect(&self.address)?;
        tcp.set_nodelay(true)?;
        let host = self.address.rsplit_once(':').ok_or("no port")?.0;
        let client = ClientConnection::new(self.tls.clone(), ServerName::try_from(host.to_owned())?)?;
        Ok(Connection(BufReader::new(StreamOwned::new(client, tcp))))
    }
}

struct Connection(BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl Connection {
    fn send(&mut self, request: &str, target: &Target) -> Result<(), Failure> {
        let mut parts = request.splitn(3, '\t');
        let (method, path, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next());
        let (address, token) = (&target.address, &target.token);
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n");
        if let Some(body) = body {
            let kind = if method == "PATCH" { "application/json-patch+json" } else { "application/json" };
            text += &format!("content-type: {kind}\r\ncontent-length: {}\r\n", body.len());
        }
        text += "\r\n";
        text += body.unwrap_or_default();
        self.0.get_mut().write_all(text.as_bytes())?;
        self.0.get_mut().flush()?;
        let (status, answer) = self.answer()?;
        match status {
            200..300 => Ok(()),
            _ => Err(format!("{method} {path}: {status} {}", String::from_utf8_lossy(&answer)).into()),
        }
    }

    fn answer(&mut self) -> Result<(u16, Vec<u8>), Failure> {
        let status = self.line()?.split(' ').nth(1).ok_or("no status")?.parse()?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse()?,
                Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
                Some(_) => {}
                None => break,
            }
        }
        let mut body = Vec::new();
        loop {
            if chunked {
                length = usize::from_str_radix(&self.line()?, 16)?;
            }
            let start = body.len();
            body.resize(start + length, 0);
            self.0.read_exact(&mut body[start..])?;
            if !chunked || self.line().map(|_| length == 0)? {
                return Ok((status, body));
            }
        }
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}
