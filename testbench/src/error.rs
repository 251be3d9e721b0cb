//! Errors of usage and environment: what, where, expected, and what to do. They end with exit code 2.

use miette::Diagnostic;

/// A request that cannot be carried out as given.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct UsageError {
    message: String,
    #[help]
    help: Option<String>,
    /// The error as its author shows it, with the place in a file.
    origin: Option<miette::Report>,
}

impl UsageError {
    /// An error with a message alone.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            origin: None,
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

    /// Returns what a person is shown.
    #[must_use]
    pub fn into_report(mut self) -> miette::Report {
        match self.origin.take() {
            Some(origin) => origin,
            None => miette::Report::new(self),
        }
    }

    /// An error from another one, with its causes in the order in which they lead to it.
    #[must_use]
    pub fn from_error(context: &str, error: &dyn std::error::Error) -> Self {
        let causes = causes(error);
        Self::new(format!("{context}: {causes}"))
    }

    /// An error that knows how to show itself.
    #[must_use]
    pub fn from_diagnostic(error: impl Diagnostic + Send + Sync + 'static) -> Self {
        Self {
            message: causes(&error),
            help: error.help().map(|help| help.to_string()),
            origin: Some(miette::Report::new(error)),
        }
    }
}

/// Returns an error's text and those of its causes, each once.
fn causes(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        source = cause.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once_each() {
        let cause = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
        let error = UsageError::from_error("cannot read a.toml", &cause);
        assert_eq!(error.to_string(), "cannot read a.toml: no such file");
    }

    #[test]
    fn an_error_that_shows_itself_keeps_its_text_through_a_process_border() {
        let inner = UsageError::new("a.toml:3: unknown field").help("did you mean `top`?");
        let error = UsageError::from_diagnostic(inner);
        let parts = error.into_parts();
        assert_eq!(parts.0, "a.toml:3: unknown field");
        assert_eq!(parts.1.as_deref(), Some("did you mean `top`?"));
    }
}
