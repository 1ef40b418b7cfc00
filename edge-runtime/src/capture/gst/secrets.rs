//! What a pipeline may hold of passwords, hidden in what its child says.

/// Shorter values are no secrets, and occur in every text.
const SHORTEST: usize = 4;
const HIDDEN: &str = "...";

/// Texts that are not shown: addresses, and values of properties.
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Those of a pipeline's words.
    pub(super) fn of(words: &[String]) -> Self {
        // `name = value` is an assignment, too.
        let joined = words.join(" ").replace(" =", "=").replace("= ", "=");
        let all = words.iter().map(String::as_str).chain(joined.split(' '));
        let mut secrets: Vec<String> = all.flat_map(secrets_in).map(str::to_owned).collect();
        // What holds another one goes first.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self(secrets)
    }

    /// A text without them, and without the user of any address.
    pub(super) fn hide(&self, text: &str) -> String {
        let hidden =
            self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), HIDDEN));
        without_users(&hidden)
    }
}

/// The word itself if it is an address; what follows its first `=`, and the parts of that.
fn secrets_in(word: &str) -> impl Iterator<Item = &str> {
    let address = Some(word).filter(|word| word.contains("://"));
    let value = word.split_once('=').map(|(_, value)| value);
    let user = word.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(user, _)| user);
    let is_separator = |c: char| c.is_whitespace() || ",;&\"'".contains(c);
    // Names of fields are no secrets: errors are about them.
    let field = |part| str::split_once(part, '=').map_or(part, |(_, value)| value);
    // And neither are types: `(string)value`.
    let untyped = |part| match str::split_once(part, ')') {
        Some((kind, value)) if kind.starts_with('(') => value,
        _ => part,
    };
    let parts = value.into_iter().flat_map(move |value| value.split(is_separator)).map(field).map(untyped);
    let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| password);
    let all = address.into_iter().chain(value).chain(user).chain(password).chain(parts);
    all.filter(|secret| secret.len() >= SHORTEST)
}

/// Addresses keep what follows their user and password.
fn without_users(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        let end = after.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(after.len());
        let (address, tail) = after.split_at(end);
        shown.push_str(before);
        shown.push_str("://");
        match address.rsplit_once('@') {
            Some((_, host)) => shown.extend([HIDDEN, "@", host]),
            None => shown.push_str(address),
        }
        rest = tail;
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hide(pipeline: &str, text: &str) -> String {
        let words: Vec<String> = pipeline.split(' ').map(str::to_owned).collect();
        Secrets::of(&words).hide(text)
    }

    #[test]
    fn values_behind_blanks_and_types_are_hidden() {
        let pipeline = "souphttpsrc user-pw = hunter2 extra=a,key=(string)token1 password= letmein";
        assert_eq!(hide(pipeline, "not hunter2, token1, letmein"), "not ..., ..., ...");
    }

    #[test]
    fn values_and_addresses_of_the_pipeline_are_hidden() {
        let pipeline =
            "rtspsrc location=rtsp://u:hunter2@camera/x user-pw=pass-word extra=a,key=token1 ! decodebin";
        for (said, shown) in [
            ("cannot open rtsp://u:hunter2@camera/x now", "cannot open ... now"),
            ("u:hunter2 and hunter2", "... and ..."),
            ("user-pw pass-word, token1", "user-pw ..., ..."),
            ("no element \"rtspsrc\"", "no element \"rtspsrc\""),
        ] {
            assert_eq!(hide(pipeline, said), shown);
        }
        assert_eq!(hide("http://u:hunter2@h/ ! x", "404 for \"http://u:hunter2@h/\""), "404 for \"...\"");
        assert_eq!(hide("x width=640", "width=640"), "width=640");
        assert_eq!(hide("video/x-raw,format=I420,height=48", "no height=48"), "no height=48");
    }

    #[test]
    fn no_address_shows_its_user() {
        let said = "moved to \"https://me:p@ss@host/a\", then ftp://host/b and x://y@z";
        let shown = "moved to \"https://...@host/a\", then ftp://host/b and x://...@z";
        assert_eq!(hide("x", said), shown);
    }
}
