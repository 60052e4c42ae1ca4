//! As whom a request is made, whom it is made to, and by which way.

use crate::support::certificate::Certified;
use crate::support::stub::{self, Request, Stub};
use crate::support::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc;

/// A server without TLS.
fn plain() -> Stub {
    Stub::new(|request| stub::mesh(request, "v1"))
}

/// A server with a certificate for 127.0.0.1, which takes the client named alone, if one is.
fn secure(client: Option<&Certified>) -> (Stub, Certified) {
    let certificate = Certified::new("127.0.0.1");
    let stub = Stub::with_tls(certificate.server(client), |request| stub::mesh(request, "v1"));
    (stub, certificate)
}

/// `status` with a kubeconfig for a server, with these fields of the cluster and these lines of the user.
fn status(server: &str, cluster: &str, user: &str) -> Run {
    let text = stub::kubeconfig(server, user).replace("cluster: {server", &format!("cluster: {{{cluster}server"));
    let run = tidegate("status -o name");
    put(&run, "config", &text);
    let config = run.home().join("config");
    run.with(config)
}

/// Puts a file into the home of a run.
fn put(run: &Run, name: &str, text: &str) {
    std::fs::write(run.home().join(name), text).expect("written");
}

/// The run reaches the server, and returns what it was asked.
#[track_caller]
fn reaches(run: Run, server: &Stub) -> Vec<Request> {
    run.shows(expect![[r#"
        virtualservice.networking.istio.io/carts
    "#]]);
    server.requests()
}

fn authorization(request: &Request) -> &str {
    &request.headers["authorization"]
}

#[test]
fn a_client_certificate() {
    let client = Certified::new("bob");
    let (server, certificate) = secure(Some(&client));
    let url = format!("https://127.0.0.1:{}", server.port);
    let authority = format!("certificate-authority-data: {}, ", BASE64.encode(&certificate.pem));
    // in the kubeconfig
    let user =
        format!("client-certificate-data: {}\nclient-key-data: {}", BASE64.encode(&client.pem), BASE64.encode(&client.key_pem));
    let requests = reaches(status(&url, &authority, &user), &server);
    assert!(requests.iter().all(|request| !request.headers.contains_key("authorization")));
    // in files beside it
    let files = |run: &Run| {
        put(run, "bob.crt", &client.pem);
        put(run, "bob.key", &client.key_pem);
    };
    let run = status(&url, &authority, "client-certificate: bob.crt\nclient-key: bob.key");
    files(&run);
    reaches(run, &server);
    // by flags, beside a token
    let run = status(&url, &authority, "token: t").arg("--client-certificate=bob.crt").arg("--client-key=bob.key");
    files(&run);
    let last = reaches(run, &server).pop().expect("a request");
    assert_eq!(authorization(&last), "Bearer t");
    // none
    status(&url, &authority, "token: t").shows(expect![[r#"
        ------- stderr -------
        error: cannot reach the API server SERVER: received fatal alert: CertificateRequired
        hint: the kubeconfig's `client-certificate` and `client-key`, or the flags of that name, say who you are
        [exit status: 7]
    "#]]);
}

#[test]
fn a_client_certificate_from_a_plugin() {
    let client = Certified::new("bob");
    let (server, certificate) = secure(Some(&client));
    let answer = json!({
        "kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
        "status": {"clientCertificateData": client.pem, "clientKeyData": client.key_pem},
    });
    let user = "exec:\n  apiVersion: client.authentication.k8s.io/v1\n  command: cat\n  args: [credential]";
    let authority = format!("certificate-authority-data: {}, ", BASE64.encode(&certificate.pem));
    let run = status(&format!("https://127.0.0.1:{}", server.port), &authority, user);
    put(&run, "credential", &answer.to_string());
    reaches(run, &server);
}

#[test]
fn certificates_that_cannot_be_used() {
    let (one, other) = (Certified::new("bob"), Certified::new("eve"));
    let told = |cluster: &str, user: &str| {
        let run = status("https://127.0.0.1:1", cluster, user);
        put(&run, "bob.crt", &one.pem);
        put(&run, "eve.key", &other.key_pem);
        put(&run, "empty", "");
        put(&run, "broken", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
        run.run().to_string()
    };
    let authorities = [
        "certificate-authority-data: '?', ",
        "certificate-authority-data: bm9uZQ==, ",
        "certificate-authority: none, ",
        "certificate-authority: empty, ",
        "certificate-authority: broken, ",
    ];
    let clients = [
        "client-certificate: bob.crt",
        "client-key: eve.key",
        "client-certificate: bob.crt\nclient-key: empty",
        "client-certificate: empty\nclient-key: eve.key",
        "client-certificate: bob.crt\nclient-key: eve.key",
        "client-certificate: bob.crt\nclient-key-data: '?'",
    ];
    let authorities = authorities.map(|cluster| format!("# {cluster}\n{}", told(cluster, "token: t")));
    let clients = clients.map(|user| format!("# {}\n{}", user.replace('\n', ", "), told("", user)));
    expect![[r#"
        # certificate-authority-data: '?', 
        ------- stderr -------
        error: the kubeconfig's `certificate-authority-data` is not base64
        [exit status: 2]
        # certificate-authority-data: bm9uZQ==, 
        ------- stderr -------
        error: the kubeconfig's certificates cannot be used
        caused by: the certificate authority: there is no certificate in it
        [exit status: 2]
        # certificate-authority: none, 
        ------- stderr -------
        error: cannot read the kubeconfig's `certificate-authority`: DIR/none
        caused by: No such file or directory (os error 2)
        [exit status: 2]
        # certificate-authority: empty, 
        ------- stderr -------
        error: the kubeconfig's certificates cannot be used
        caused by: the certificate authority: there is no certificate in it
        [exit status: 2]
        # certificate-authority: broken, 
        ------- stderr -------
        error: the kubeconfig's certificates cannot be used
        caused by: the certificate authority: base64 decode error: InvalidCharacter(33)
        [exit status: 2]
        # client-certificate: bob.crt
        ------- stderr -------
        error: the kubeconfig's user has no `client-key` for its certificate
        [exit status: 2]
        # client-key: eve.key
        ------- stderr -------
        error: the kubeconfig's user has no `client-certificate` for its key
        [exit status: 2]
        # client-certificate: bob.crt, client-key: empty
        ------- stderr -------
        error: the kubeconfig's certificates cannot be used
        caused by: the client key: no items found
        [exit status: 2]
        # client-certificate: empty, client-key: eve.key
        ------- stderr -------
        error: the kubeconfig's certificates cannot be used
        caused by: the client certificate: there is no certificate in it
        [exit status: 2]
        # client-certificate: bob.crt, client-key: eve.key
        ------- stderr -------
        error: the kubeconfig's certificates cannot be used
        caused by: the client certificate and its key: keys may not be consistent: KeyMismatch
        [exit status: 2]
        # client-certificate: bob.crt, client-key-data: '?'
        ------- stderr -------
        error: the kubeconfig's `client-key-data` is not base64
        [exit status: 2]
    "#]]
    .assert_eq(&[authorities.concat(), clients.concat()].concat());
}

#[test]
fn whom_the_kubeconfig_trusts() {
    let (server, certificate) = secure(None);
    let by = |host: &str| format!("https://{host}:{}", server.port);
    let authority = format!("certificate-authority-data: {}, ", BASE64.encode(&certificate.pem));
    reaches(status(&by("127.0.0.1"), &authority, "token: t"), &server);
    reaches(status(&by("127.0.0.1"), "insecure-skip-tls-verify: true, ", "token: t"), &server);
    // A certificate that would do for another name.
    reaches(status(&by("localhost"), &format!("{authority}tls-server-name: 127.0.0.1, "), "token: t"), &server);
    let misnamed = status(&by("localhost"), &authority, "token: t").run();
    assert_eq!(misnamed.status, Some(7), "{misnamed}");
    assert!(misnamed.stderr.contains(r#"certificate not valid for name "localhost""#), "{misnamed}");
    // The system does not know it.
    let stranger = status(&by("127.0.0.1"), "", "token: t").run();
    assert_eq!(stranger.status, Some(7), "{stranger}");
    assert!(stranger.stderr.contains("invalid peer certificate: "), "{stranger}");
    status(&by("localhost"), &format!("{authority}tls-server-name: '?', "), "token: t").shows(expect![[r#"
        ------- stderr -------
        error: `?` is not the name of a server
        [exit status: 2]
    "#]]);
}

#[test]
fn a_token_file_is_read_again() {
    let run = tidegate("status -o name");
    let file = run.home().join("token");
    std::fs::write(&file, "first\n").expect("written");
    let changing = file.clone();
    let server = Stub::new(move |request| {
        let next = if authorization(request) == "Bearer first" { "second\n" } else { "third\n" };
        std::fs::write(&changing, next).expect("written");
        stub::mesh(request, "v1")
    });
    put(&run, "config", &stub::kubeconfig(&format!("http://127.0.0.1:{}", server.port), "tokenFile: token"));
    let config = run.home().join("config");
    tidegate("shift carts --weights 80/20 --no-preflight").with(&config).succeeds();
    let tokens: Vec<String> = server.requests().iter().map(|request| authorization(request).to_owned()).collect();
    assert_eq!(tokens, ["Bearer first", "Bearer second"]);
    // One that is gone was read in time, or it was not.
    std::fs::remove_file(&file).expect("removed");
    run.with(config).shows(expect![[r#"
        ------- stderr -------
        error: cannot read the token file DIR/token
        caused by: No such file or directory (os error 2)
        [exit status: 2]
    "#]]);
}

/// A run of a change, by a user whose plugin counts its runs and gives a token until then.
fn with_plugin(server: &Stub, expires: &str) -> Vec<String> {
    let run = tidegate("shift carts --weights 80/20 --no-preflight");
    let script = format!(
        "#!/bin/sh\ncd \"$(dirname \"$0\")\"\necho run >> runs\n\
         echo \"{{\\\"status\\\": {{\\\"token\\\": \\\"$(wc -l < runs | tr -d ' ')\\\", \\\"expirationTimestamp\\\": \\\"{expires}\\\"}}}}\"\n"
    );
    put(&run, "plugin", &script);
    std::fs::set_permissions(run.home().join("plugin"), std::fs::Permissions::from_mode(0o755)).expect("set");
    let user = "exec:\n  apiVersion: client.authentication.k8s.io/v1\n  command: ./plugin";
    put(&run, "config", &stub::kubeconfig(&format!("http://127.0.0.1:{}", server.port), user));
    let config = run.home().join("config");
    run.with(config).succeeds();
    server.requests().iter().map(|request| authorization(request).to_owned()).collect()
}

#[test]
fn a_plugin_runs_again_when_its_token_has_expired() {
    assert_eq!(with_plugin(&plain(), "2999-01-01T00:00:00Z"), ["Bearer 1", "Bearer 1"]);
    assert_eq!(with_plugin(&plain(), "2020-01-01T00:00:00Z"), ["Bearer 2", "Bearer 3"]);
}

#[test]
fn auth_providers() {
    let server = plain();
    let url = format!("http://127.0.0.1:{}", server.port);
    let provider = |name: &str, config: &str| format!("auth-provider:\n  name: {name}\n  config: {{{config}}}");
    let token = |expiry: u64| format!("e30.{}.x", URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{expiry}}}"#)));
    let (valid, expired) = (token(32_472_144_000), token(1_577_836_800));
    let requests = reaches(status(&url, "", &provider("oidc", &format!("id-token: {valid}"))), &server);
    assert!(requests.iter().all(|request| authorization(request) == format!("Bearer {valid}")));
    let refused = [
        provider("oidc", &format!("id-token: {expired}")),
        provider("oidc", ""),
        provider("gcp", ""),
        provider("azure", ""),
        provider("other", ""),
    ];
    expect![[r#"
        ------- stderr -------
        error: the kubeconfig's auth provider `oidc` has a token that has expired
        hint: kubectl renews it: `kubectl get --raw /version`
        [exit status: 4]
        ------- stderr -------
        error: the kubeconfig's auth provider `oidc` has no id-token
        hint: log in with your provider's tool
        [exit status: 4]
        ------- stderr -------
        error: the kubeconfig's auth provider `gcp` no longer exists
        hint: install gke-gcloud-auth-plugin, then `gcloud container clusters get-credentials CLUSTER`
        [exit status: 4]
        ------- stderr -------
        error: the kubeconfig's auth provider `azure` no longer exists
        hint: install kubelogin, then `kubelogin convert-kubeconfig`
        [exit status: 4]
        ------- stderr -------
        error: the kubeconfig's auth provider `other` is not known
        [exit status: 4]
    "#]]
    .assert_eq(&refused.map(|user| status(&url, "", &user).run().to_string()).concat());
}

#[test]
fn whom_a_user_acts_as() {
    let server = plain();
    let url = format!("http://127.0.0.1:{}", server.port);
    let user = "token: t\nas: carol\nas-uid: u1\nas-groups: [shop]\nas-user-extra: {example.com/reason: [why]}";
    let told = |requests: Vec<Request>| {
        let last = requests.into_iter().next_back().expect("a request");
        let headers = last.headers.into_iter().filter(|(name, _)| name.starts_with("impersonate"));
        headers.map(|(name, value)| format!("{name}: {value}\n")).collect::<String>()
    };
    expect![[r#"
        impersonate-extra-example.com%2freason: why
        impersonate-group: shop
        impersonate-uid: u1
        impersonate-user: carol
    "#]]
    .assert_eq(&told(reaches(status(&url, "", user), &server)));
    let flags = status(&url, "", user).arg("--as=dave").arg("--as-uid=u2").arg("--as-group=ops");
    expect![[r#"
        impersonate-extra-example.com%2freason: why
        impersonate-group: ops
        impersonate-uid: u2
        impersonate-user: dave
    "#]]
    .assert_eq(&told(reaches(flags, &server)));
}

#[test]
fn a_server_below_a_path() {
    let server = Stub::new(|request| {
        let target = request.target.strip_prefix("/k8s/clusters/c-1").unwrap_or_default().to_owned();
        stub::mesh(&Request { target, ..request.clone() }, "v1")
    });
    reaches(status(&format!("http://127.0.0.1:{}/k8s/clusters/c-1/", server.port), "", "token: t"), &server);
}

#[test]
fn a_pod_without_a_service_account() {
    tidegate("status").env("KUBERNETES_SERVICE_HOST", "10.0.0.1").shows(expect![[r#"
        ------- stderr -------
        error: the pod's service account cannot be used
        caused by: /var/run/secrets/kubernetes.io/serviceaccount/namespace: No such file or directory (os error 2)
        [exit status: 2]
    "#]]);
}

/// An HTTP proxy for one connection; gives its address, and later what it was asked.
fn proxy() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let (sender, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = BufReader::new(client?);
            let mut head = String::new();
            while client.read_line(&mut head)? > 2 {}
            let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let server = TcpStream::connect(target)?;
            client.get_mut().write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            // The test may have seen enough.
            let _ = sender.send(head);
            let (mut up, mut down) = (server.try_clone()?, client.into_inner());
            let (mut from, mut to) = (down.try_clone()?, server);
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || std::io::copy(&mut up, &mut down));
        }
        Ok::<_, std::io::Error>(())
    });
    (address, asked)
}

#[test]
fn through_a_proxy() {
    let (server, certificate) = secure(None);
    let url = format!("https://127.0.0.1:{}", server.port);
    let authority = format!("certificate-authority-data: {}, ", BASE64.encode(&certificate.pem));
    let (address, asked) = proxy();
    reaches(status(&url, &format!("{authority}proxy-url: 'http://bob:pa%20ss@{address}', "), "token: t"), &server);
    let head = asked.recv().expect("it was asked");
    assert!(head.starts_with(&format!("CONNECT 127.0.0.1:{} HTTP/1.1\r\n", server.port)), "{head}");
    assert!(
        head.to_lowercase().contains(&format!("proxy-authorization: basic {}\r\n", BASE64.encode("bob:pa ss").to_lowercase())),
        "{head}"
    );
    // The loopback is not reached through the environment's.
    reaches(status(&url, &authority, "token: t").env("HTTPS_PROXY", "http://127.0.0.1:1"), &server);
    status(&url, &format!("{authority}proxy-url: 'ftp://bob:secret@proxy', "), "token: t").shows(expect![[r#"
        ------- stderr -------
        error: a proxy is reached by http, https or socks5, not as in `ftp://proxy`
        [exit status: 2]
    "#]]);
}
