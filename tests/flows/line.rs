//! One line of a ladder: who, what, and what stands in brackets.

/// `alice -> tandem INVITE bob (auth | sdp PCMU)`: its words, and the items of its brackets, round or square.
pub struct Line<'a> {
    pub words: Vec<&'a str>,
    pub items: Vec<&'a str>,
}

impl<'a> Line<'a> {
    pub fn read(text: &'a str) -> Line<'a> {
        let (words, items) = match (text.find(" ("), text.find(" [")) {
            (Some(at), _) if text.ends_with(')') => (&text[..at], &text[at + 2..text.len() - 1]),
            (_, Some(at)) if text.ends_with(']') => (&text[..at], &text[at + 2..text.len() - 1]),
            _ => (text, ""),
        };
        let items = items.split(" | ").map(str::trim).filter(|item| !item.is_empty()).collect();
        Line { words: words.split_whitespace().collect(), items }
    }

    /// The rest of an item that begins with a word.
    pub fn item(&self, name: &str) -> Option<&'a str> {
        self.items.iter().find_map(|item| rest(item, name))
    }

    pub fn has(&self, name: &str) -> bool {
        self.item(name).is_some()
    }
}

/// What follows a word in a text that begins with it.
pub fn rest<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(word)?;
    (rest.is_empty() || rest.starts_with(' ')).then(|| rest.trim())
}

/// `500ms`, `32s`, `10m`.
pub fn span(text: &str) -> std::time::Duration {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: u64 = digits.parse().unwrap_or_else(|_| panic!("{text} is no span of time"));
    match &text[digits.len()..] {
        "ms" => std::time::Duration::from_millis(number),
        "s" => std::time::Duration::from_secs(number),
        "m" => std::time::Duration::from_secs(60 * number),
        unit => panic!("{unit} is no unit of time"),
    }
}
