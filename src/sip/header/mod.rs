//! Header field values as types, one file per value.

pub mod auth;
pub mod contact;
pub mod cseq;
pub mod media_type;
pub mod name;
pub mod name_addr;
pub mod params;
pub mod session;
pub mod via;
