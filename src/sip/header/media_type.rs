//! Content-Type (RFC 3261 §20.15).

use super::params::Params;
use crate::sip::lexer::{Bad, is_token, trim};
use crate::sip::text::Text;

/// `type/subtype;params`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    /// `application/sdp` in lower case.
    pub essence: String,
    /// boundary, charset…
    pub params: Params,
}

impl MediaType {
    /// Reads the value.
    pub fn parse(text: &Text) -> Result<MediaType, Bad> {
        let (essence, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        let Some((kind, subtype)) = essence.split_once('/') else { return Err(Bad("media type")) };
        let (kind, subtype) = (trim(kind), trim(subtype));
        if !is_token(kind) || !is_token(subtype) {
            return Err(Bad("media type"));
        }
        let essence = format!("{kind}/{subtype}").to_ascii_lowercase();
        Ok(MediaType { essence, params: Params::parse(&text.share(params))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_compared_in_lower_case() {
        let read = MediaType::parse(&Text::from("multipart / Mixed ;boundary=\"a;b\"")).unwrap();

        assert_eq!((read.essence.as_str(), read.params.get("boundary")), ("multipart/mixed", Some("\"a;b\"")));
        for wrong in ["", "application", "a/b/c", "/sdp", "application/", "a b/c"] {
            assert!(MediaType::parse(&Text::from(wrong)).is_err(), "{wrong}");
        }
    }
}
