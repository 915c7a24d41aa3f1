//! Agents: what they chose, what their legs say, and the state that follows.
