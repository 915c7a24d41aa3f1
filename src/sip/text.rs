//! `Text`: a piece of a message's head that keeps the head alive. One copy of the head is made when a message is
//! parsed; every name, value, tag and host is then a view of it and costs a reference count, not an allocation.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A shared, immutable piece of text. An empty one owns nothing.
#[derive(Clone, Default)]
pub struct Text {
    whole: Option<Arc<str>>,
    start: u32,
    end: u32,
}

impl Text {
    /// The characters.
    pub fn as_str(&self) -> &str {
        match &self.whole {
            Some(whole) => &whole[self.start as usize..self.end as usize],
            None => "",
        }
    }

    /// `part`, which must be a slice of this text, sharing its memory. A foreign slice is copied.
    pub fn share(&self, part: &str) -> Text {
        let Some(whole) = self.whole.as_ref().filter(|_| !part.is_empty()) else { return Text::from(part) };
        let (own, wanted) = (whole.as_ptr() as usize, part.as_ptr() as usize);
        match wanted.checked_sub(own) {
            Some(start) if start + part.len() <= whole.len() => {
                Text { whole: Some(Arc::clone(whole)), start: start as u32, end: (start + part.len()) as u32 }
            }
            _ => Text::from(part),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        let end = u32::try_from(text.len()).expect("texts are parts of messages, which are below 64 KiB");
        Text { whole: (!text.is_empty()).then(|| Arc::from(text)), start: 0, end }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text::from(text.as_str())
    }
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_shares_the_memory_of_its_whole() {
        let whole = Text::from("Via: SIP/2.0/UDP h");

        let part = whole.share(&whole[5..]);

        assert_eq!(part, "SIP/2.0/UDP h");
        assert_eq!(part.as_str().as_ptr(), whole[5..].as_ptr());
        assert_eq!(part.share(&part[8..]), "UDP h");
    }

    #[test]
    fn a_foreign_part_is_copied_and_an_empty_one_owns_nothing() {
        let whole = Text::from("abc");

        assert_eq!(whole.share("xyz"), "xyz");
        assert_eq!(whole.share(&whole[3..]), Text::default());
        assert_eq!(Text::default().share("abc"), "abc");
    }
}
