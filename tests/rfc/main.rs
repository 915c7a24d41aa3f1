//! The switch against the texts it is built on.

mod rfc3264;
mod rfc4733;
