//! The switch against the texts it is built on.

mod attacks;
mod corpus;
mod oracle;
mod rfc3264;
mod rfc4475;
mod rfc4733;
mod rfc5118;
mod transactions;
mod uas;
