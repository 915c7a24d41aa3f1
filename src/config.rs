//! The config file: TOML to Settings, every error with file:line:column.
