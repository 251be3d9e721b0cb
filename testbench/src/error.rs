//! Errors of usage and environment: what, where, expected, and what to do. They end with exit code 2.

use miette::Diagnostic;

/// A request that cannot be carried out as given.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct UsageError {
    message: String,
    #[help]
    help: Option<String>,
}

impl UsageError {
    /// An error with a message alone.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    /// Returns the parts for the way through a process border.
    #[must_use]
    pub fn into_parts(self) -> (String, Option<String>) {
        (self.message, self.help)
    }

    /// An error from another one, with its causes in the order in which they lead to it.
    #[must_use]
    pub fn from_error(context: &str, error: &dyn std::error::Error) -> Self {
        let mut message = format!("{context}: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            source = cause.source();
        }
        Self::new(message)
    }
}
