//! People on the command line.

use clap::Args;

/// `erase`
#[derive(Debug, Args)]
pub struct Erase {
    /// His number
    pub number: String,
    /// Do it: nothing brings it back
    #[arg(long)]
    pub yes: bool,
    /// Forget as well that the number is never to be called
    #[arg(long)]
    pub do_not_call: bool,
}
