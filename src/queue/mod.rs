//! The line, the choice of an agent, the expected wait.
