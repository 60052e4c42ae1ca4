//! Words as a shell takes them: what is printed to be pasted must mean what it says, whatever names other people gave.

use std::borrow::Cow;

/// `word`, in quotes where a shell would make something else of it.
///
/// ```
/// use tidegate::core::shell::quoted;
/// assert_eq!(quoted("./kube/config"), "./kube/config");
/// assert_eq!(quoted("it's $(here)"), r"'it'\''s $(here)'");
/// assert_eq!(quoted("http[0]"), "'http[0]'");
/// ```
pub fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+#".contains(&byte);
    match !word.is_empty() && !word.starts_with('#') && word.bytes().all(plain) {
        true => Cow::Borrowed(word),
        false => Cow::Owned(format!("'{}'", word.replace('\'', r"'\''"))),
    }
}
