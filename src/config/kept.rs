//! Secrets that a text of the site does not say. `export` writes `KEPT` in their place, and `apply` takes what the
//! running site has there: so an export can be edited and applied again, and lies about without harm. Nowhere else
//! does the word stand for a secret: a file that holds one when the switch starts is wrong.

use super::stored::{is_secret, text_of};
use crate::limits::CONFIG_BYTES;
use toml::de::{DeTable, DeValue};

/// What stands in the place of a secret.
pub const KEPT: &str = "(kept by the server)";

/// The text with the secrets that are known filled in; of table, name and field. Its lines stay what they are.
pub fn fill_secrets(text: &str, known: &dyn Fn(&str, &str, &str) -> Option<String>) -> String {
    let mut filled = text.to_owned();
    if text.len() > CONFIG_BYTES || !text.contains(KEPT) {
        return filled;
    }
    let (root, _) = DeTable::parse_recoverable(text); // What is wrong with it, its reader tells.
    let mut secrets = Vec::new();
    for (kind, value) in root.get_ref() {
        let DeValue::Array(objects) = value.get_ref() else { continue };
        for object in objects.iter() {
            let DeValue::Table(fields) = object.get_ref() else { continue };
            let Some(DeValue::String(name)) = fields.get("name").map(|name| name.get_ref()) else { continue };
            let kept = |value: &DeValue<'_>| matches!(value, DeValue::String(text) if text == KEPT);
            for (field, value) in fields {
                if is_secret(field.get_ref()) && kept(value.get_ref()) {
                    secrets.extend(known(kind.get_ref(), name, field.get_ref()).map(|secret| (value.span(), secret)));
                }
            }
        }
    }
    secrets.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    for (span, secret) in secrets {
        if filled.get(span.clone()).is_some() {
            filled.replace_range(span, &text_of(&secret));
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_kept_and_known_is_filled_in() {
        let text = format!(
            "# é\n[[agent]]\nsecret = \"{KEPT}\" # one\nname = \"anna\"\n[[agent]]\nname = \"ben\"\n\
             secret = \"{KEPT}\"\n[[queue]]\nname = \"{KEPT}\"\n[[trunk]]\nname = \"c\"\npassword = '{KEPT}'\n"
        );

        let filled = fill_secrets(&text, &|kind, name, field| match (kind, name, field) {
            ("agent", "anna", "secret") => Some("a\"b\\".to_owned()),
            ("trunk", "c", "password") => Some("p".to_owned()),
            _ => None, // Nobody else has one.
        });

        let (anna, trunk) = (text.replacen(&format!("\"{KEPT}\""), r#""a\"b\\""#, 1), format!("'{KEPT}'"));
        assert_eq!(filled, anna.replace(&trunk, "\"p\""));
    }

    // Whatever is sent is told by the reader; nothing here ends in a panic.
    #[test]
    fn a_text_that_breaks_off_or_is_mangled_is_left_to_its_reader() {
        let text = format!("[[agent]]\nname = \"é\"\nsecret = \"{KEPT}\"\n[[agent]]\nsecret = '{KEPT}'\nname = 'é'\n");
        let known = |_: &str, _: &str, _: &str| Some("s".to_owned());

        for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
            let (head, tail) = text.split_at(end);
            for mangled in [head.to_owned(), tail.to_owned(), format!("{tail}{head}"), format!("{head}\"é'{tail}")] {
                fill_secrets(&mangled, &known);
            }
        }
    }
}
