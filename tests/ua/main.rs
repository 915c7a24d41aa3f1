//! Two user agents (or one and a scripted peer) in one thread, over a network that loses and delays what it is told to.
//! Every scenario asserts the messages in the order they were sent, read by a few lines of text matching of their own.

mod calls;
mod cancel;
mod hostile;
mod network;
mod offers;
mod outside;
mod strangers;
mod trunks;
