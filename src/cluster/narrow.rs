//! Large kubeconfigs, read in part.
//!
//! The YAML parser takes 0.1 ms for a context with its certificates, and some people have hundreds of them. As kubectl
//! writes it, the file is so regular that lines are enough to find the one context that is wanted, its cluster and its
//! user; only these go to the parser. What is written in another way is not touched here: the parser then gets all of it.
//!
//! What is left out is not checked either: a mistake in it stays unnoticed until that context is used.

/// The lists of a kubeconfig.
const LISTS: [&str; 3] = ["clusters", "contexts", "users"];

/// A kubeconfig in pieces.
pub(super) struct Pieces<'a> {
    /// Everything but the lists.
    pub rest: String,
    items: Vec<Item<'a>>,
}

/// An item of a list: its name and its lines.
struct Item<'a> {
    list: &'static str,
    name: &'a str,
    text: &'a str,
}

impl<'a> Pieces<'a> {
    /// Cuts a kubeconfig; `None` where it has anything that is not in kubectl's plain style.
    pub fn cut(text: &'a str) -> Option<Self> {
        if !text.is_ascii() || b"\t\r".iter().any(|odd| text.as_bytes().contains(odd)) {
            return None;
        }
        let mut pieces = Self { rest: String::new(), items: Vec::new() };
        for section in blocks(text, |line| !line.starts_with([' ', '-', '#', '\n'])) {
            if !section.lines().all(is_plain) {
                return None;
            }
            let (head, body) = section.split_once('\n').unwrap_or((section, ""));
            let (key, value) = head.split_once(':')?;
            if !key.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-') {
                return None;
            }
            let Some(list) = LISTS.into_iter().find(|list| *list == key) else {
                pieces.rest += section;
                continue;
            };
            let again = pieces.items.iter().any(|item| item.list == list);
            if again || !value.trim().is_empty() || !body.starts_with("- ") {
                return None;
            }
            for text in blocks(body, |line| line.starts_with('-')) {
                pieces.items.push(Item { list, name: name(text)?, text });
            }
        }
        Some(pieces)
    }

    /// A kubeconfig with nothing but the items of this name in one list.
    pub fn only(&self, list: &str, name: &str) -> String {
        let items = self.items.iter().filter(|item| item.list == list && item.name == name);
        format!("{list}:\n{}", items.map(|item| item.text).collect::<String>())
    }
}

/// The parts of `text`, of which each begins with a line for which `begins` holds; what comes before the first is a part
/// as well.
fn blocks(text: &str, begins: impl Fn(&str) -> bool) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = rest.find('\n').map_or(rest.len(), |end| end + 1);
        while end < rest.len() && !begins(&rest[end..]) {
            end += rest[end..].find('\n').map_or(rest.len() - end, |end| end + 1);
        }
        let (block, after) = rest.split_at(end);
        rest = after;
        (!block.is_empty()).then_some(block)
    })
}

/// Whether nothing that begins on the line could reach into a line of the top level, or be meant by another line: no
/// quotes or brackets that stay open, no anchors, aliases or tags, no second document. A line may be part of a longer text and
/// only look like something else; then it is refused for nothing, which does no harm.
fn is_plain(line: &str) -> bool {
    if line.starts_with("--") {
        return false;
    }
    let mut text = line.trim();
    while let Some(rest) = text.strip_prefix("- ") {
        text = rest.trim_start();
    }
    if text.starts_with('#') {
        return true;
    }
    let value = match text.split_once(": ") {
        Some((key, value)) if !key.starts_with(['"', '\'']) => is_scalar(key).then(|| value.trim_start()),
        _ => Some(text),
    };
    value.is_some_and(is_scalar) && !text.contains(" #")
}

/// Whether a text is a scalar (or the head of one of several indented lines), or an empty collection.
fn is_scalar(text: &str) -> bool {
    match text.bytes().next() {
        Some(quote @ (b'"' | b'\'')) => unquoted(text, char::from(quote)).is_some(),
        Some(b'{' | b'[') => matches!(text, "{}" | "[]"),
        Some(first) => !b"&*!%@`?}],".contains(&first),
        None => true,
    }
}

fn unquoted(text: &str, quote: char) -> Option<&str> {
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains([quote, '\\'])).then_some(inner)
}

/// The name of an item of a list, which must be on one line.
fn name(item: &str) -> Option<&str> {
    let item = item.strip_prefix("- ").filter(|item| !item.starts_with(' '))?;
    let mut found = None;
    let mut lines = item.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).peekable();
    while let Some((place, line)) = lines.next() {
        let key = if place == 0 { line } else { line.strip_prefix("  ")? };
        if key.starts_with([' ', '-']) {
            continue;
        }
        if let Some(value) = key.strip_prefix("name: ") {
            let goes_on = lines.peek().is_some_and(|(_, next)| next.starts_with("   "));
            if goes_on || found.is_some() {
                return None;
            }
            let value = value.trim();
            let quoted = unquoted(value, '"').or_else(|| unquoted(value, '\''));
            let simple = |text: &&str| {
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._/:@+".contains(&byte))
            };
            found = Some(quoted.unwrap_or(value)).filter(simple);
            found?;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::config::Kubeconfig;

    /// Three contexts as kubectl writes them, whose names begin alike.
    const PLAIN: &str = "\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: QUFB
    server: https://one.example.com:6443
  name: one
- cluster:
    server: https://one-more.example.com
    extensions:
    - extension:
        last-update: Mon, 03 Jun 2024 10:00:00 UTC
        provider: minikube.sigs.k8s.io
      name: cluster_info
  name: one-more
- cluster:
    server: https://arn.example.com
  name: arn:aws:eks:eu-west-1:123456789012:cluster/shop
contexts:
- context:
    cluster: one
    user: one
  name: one
- context:
    cluster: arn:aws:eks:eu-west-1:123456789012:cluster/shop
    namespace: shop
    user: arn:aws:eks:eu-west-1:123456789012:cluster/shop
  name: shop
current-context: one
kind: Config
preferences: {}
users:
- name: one
  user:
    token: secret-one
- name: one-more
  user:
    client-certificate-data: QUFB
    client-key-data: QkJC
- name: arn:aws:eks:eu-west-1:123456789012:cluster/shop
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      args:
      - --region
      - \"eu-west-1\"
      - eks
      - get-token
      command: aws
      env: null
      installHint: Install the plugin by following
        https://example.com/docs#install
      provideClusterInfo: false
";

    fn read(text: &str) -> Kubeconfig {
        serde_yaml::from_str(text).expect("a kubeconfig")
    }

    fn told(value: &impl serde::Serialize) -> String {
        serde_json::to_string(value).expect("JSON")
    }

    /// What was cut says the same as the whole.
    fn agrees(text: &str) {
        let whole = read(text);
        let pieces = Pieces::cut(text).expect("the plain style");
        for named in &whole.clusters {
            assert_eq!(told(&read(&pieces.only("clusters", &named.name)).clusters), told(&[named]));
        }
        for named in &whole.contexts {
            assert_eq!(told(&read(&pieces.only("contexts", &named.name)).contexts), told(&[named]));
        }
        for named in &whole.auth_infos {
            assert_eq!(told(&read(&pieces.only("users", &named.name)).auth_infos), told(&[named]));
        }
        assert!(LISTS.iter().all(|list| told(&read(&pieces.only(list, "nothing"))) == told(&Kubeconfig::default())));
        let without = Kubeconfig { clusters: Vec::new(), contexts: Vec::new(), auth_infos: Vec::new(), ..whole };
        assert_eq!(told(&read(&pieces.rest)), told(&without));
    }

    #[test]
    fn what_is_cut_says_the_same() {
        agrees(PLAIN);
        agrees(&PLAIN.replace("name: one\n", "name: 'one'\n"));
        agrees(&PLAIN.replace("name: one\n", "name: \"one\"\n"));
        agrees(&PLAIN.replace("users:", "# people\n\nusers:"));
        agrees(&PLAIN.replace("token: secret-one", "token: |-\n      secret\n      more"));
        agrees(PLAIN.trim_end());
        // Where `name` comes first, and where another field of that name lies deeper.
        agrees(
            &PLAIN
                .replace("  name: one\n", "")
                .replace("- cluster:\n    cert", "- name: one\n  cluster:\n    cert")
                .replace("- context:\n    cluster: one\n", "- name: one\n  context:\n    cluster: one\n"),
        );
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_parser() {
        let odd = [
            PLAIN.replace('\n', "\r\n"),
            PLAIN.replace("    token", "\ttoken"),
            PLAIN.replace("name: one\n", "name: üne\n"),
            PLAIN.replace("kind:", "---\nkind:"),
            format!("---\n{PLAIN}"),
            format!("%YAML 1.2\n---\n{PLAIN}"),
            format!("# mine\n{PLAIN}"),
            format!("{PLAIN}...\n"),
            // flow style
            PLAIN.replace("context:\n    cluster: one\n    user: one", "context: {cluster: one, user: one}"),
            PLAIN.replace("clusters:\n", "clusters: [\n").replace("contexts:", "]\ncontexts:"),
            "{\"clusters\": [], \"users\": []}\n".into(),
            // anchors, aliases, merge keys, tags
            PLAIN.replace("token: secret-one", "token: &token secret-one"),
            PLAIN.replace("client-key-data: QkJC", "client-key-data: *token"),
            PLAIN.replace("token: secret-one", "<<: *defaults"),
            PLAIN.replace("token: secret-one", "token: !!str 1"),
            // quotes that stay open, or hide something
            PLAIN.replace("token: secret-one", "token: \"secret\n- name: two\""),
            PLAIN.replace("token: secret-one", "token: 'secret\nusers: one'"),
            PLAIN.replace("token: secret-one", "token: \"a\\x41\""),
            PLAIN.replace("name: one\n", "\"name\": one\n"),
            PLAIN.replace("name: one\n", "name: \"o\\x6ee\"\n"),
            // names that are not on one line, or not there, or twice
            PLAIN.replace("name: one\n", "name: one\n    more\n"),
            PLAIN.replace("name: one\n", "name: >-\n    one\n"),
            PLAIN.replace("name: one\n", "name:\n    one\n"),
            PLAIN.replace("name: one\n", "name: one # the first\n"),
            PLAIN.replace("name: one\n", "name: one\n  name: two\n"),
            PLAIN.replace("  name: one-more\n", ""),
            // other indentations and keys
            PLAIN.replace("\n- ", "\n  - ").replace("\n  name", "\n    name").replace("\n    ", "\n      "),
            PLAIN.replace("- name: one\n", "-   name: one\n"),
            PLAIN.replace("users:", "\"users\":"),
            PLAIN.replace("users:", "users: # people"),
            PLAIN.replace("users:", "users:\n# people"),
            PLAIN.replace("users:", "? users\n:"),
            format!("{PLAIN}users:\n- name: two\n"),
            PLAIN.replace("clusters:\n- cluster:", "clusters: []\nothers:\n- cluster:"),
        ];
        for text in odd {
            assert_ne!(text, PLAIN);
            assert!(Pieces::cut(&text).is_none(), "{text}");
        }
    }
}
