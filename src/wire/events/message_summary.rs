//! Waiting messages: message-summary (RFC 3842).

use std::fmt::Write;

/// What waits for one account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Waiting {
    pub voice: Folder,
    pub text: Folder,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Folder {
    pub new: usize,
    pub old: usize,
}

impl Waiting {
    pub fn is_new(&self) -> bool {
        self.voice.new + self.text.new > 0
    }
}

/// `account` is the address of whose messages they are.
pub fn write(account: &str, waiting: &Waiting) -> String {
    let lit = if waiting.is_new() { "yes" } else { "no" };
    let account: String = account.chars().filter(|c| !c.is_control()).collect();
    let mut text = format!("Messages-Waiting: {lit}\r\nMessage-Account: {account}\r\n");
    // Phones show the voice messages first, and some nothing else.
    for (class, folder) in [("Voice-Message", waiting.voice), ("Text-Message", waiting.text)] {
        if class == "Voice-Message" || folder != Folder::default() {
            _ = write!(text, "{class}: {}/{} (0/0)\r\n", folder.new, folder.old);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_says_what_waits() {
        let text = Folder { new: 2, old: 1 };
        assert_eq!(
            write("sip:bob@x\r\n", &Waiting { text, ..Waiting::default() }),
            "Messages-Waiting: yes\r\nMessage-Account: sip:bob@x\r\nVoice-Message: 0/0 (0/0)\r\nText-Message: 2/1 (0/0)\r\n"
        );
        assert!(write("sip:bob@x", &Waiting::default()).starts_with("Messages-Waiting: no\r\n"));
    }
}
