//! What the planner and its operators complain about, as errors with their SQLSTATE.
//!
//! A user's mistake never comes out as `XX000`, and no message speaks of the libraries below.

use base::{Error, SqlState};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{Column, DataFusionError, SchemaError};

/// An error of ours on its way through the planner or an operator.
pub fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// An error of our own, made on the spot.
pub fn raise(state: SqlState, message: impl Into<String>) -> DataFusionError {
    external(Error::new(state, message))
}

pub fn unsupported(what: impl std::fmt::Display) -> DataFusionError {
    external(Error::unsupported(what))
}

/// Translates; an error of ours that travelled inside comes out unchanged.
pub fn translate(error: DataFusionError) -> Error {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(own) => *own,
            Err(other) => match other.downcast::<DataFusionError>() {
                Ok(nested) => translate(*nested),
                Err(other) => Error::internal(other.to_string()),
            },
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => translate(*inner),
        DataFusionError::Shared(inner) => translate_shared(&inner),
        DataFusionError::Collection(errors) => {
            errors.into_iter().next().map_or_else(|| Error::internal("an error without a cause"), translate)
        }
        DataFusionError::SchemaError(error, _) => translate_schema(&error),
        DataFusionError::ArrowError(error, _) => translate_arrow(*error),
        DataFusionError::ResourcesExhausted(_) => out_of_memory(),
        DataFusionError::NotImplemented(message) => Error::unsupported(tidy(&message)),
        DataFusionError::Plan(message) => translate_plan(&message),
        DataFusionError::SQL(error, _) => Error::new(SqlState::SYNTAX_ERROR, error.to_string()),
        DataFusionError::Execution(message) => translate_execution(&message),
        DataFusionError::IoError(error) => Error::new(SqlState::IO_ERROR, format!("spilling to disk failed: {error}")),
        DataFusionError::Internal(message) => translate_internal(&message),
        other => Error::internal(tidy(&other.to_string())),
    }
}

/// A shared error cannot be taken apart, only read.
fn translate_shared(error: &DataFusionError) -> Error {
    match error {
        DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
            Some(own) => own.clone(),
            None => Error::internal(inner.to_string()),
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => translate_shared(inner),
        DataFusionError::Shared(inner) => translate_shared(inner),
        DataFusionError::SchemaError(error, _) => translate_schema(error),
        DataFusionError::ArrowError(error, _) => translate_arrow_text(&error.to_string()),
        DataFusionError::ResourcesExhausted(_) => out_of_memory(),
        DataFusionError::NotImplemented(message) => Error::unsupported(tidy(message)),
        DataFusionError::Plan(message) => translate_plan(message),
        DataFusionError::Execution(message) => translate_execution(message),
        other => Error::internal(tidy(&other.to_string())),
    }
}

pub fn out_of_memory() -> Error {
    Error::new(SqlState::OUT_OF_MEMORY, "out of memory").with_detail("The query needs more memory than queries may use on this node.")
}

pub fn undefined_column(column: &Column) -> Error {
    let name = match &column.relation {
        Some(relation) => format!("column {}.{} does not exist", relation.table(), column.name),
        None => format!("column \"{}\" does not exist", column.name),
    };
    Error::new(SqlState::UNDEFINED_COLUMN, name)
}

fn translate_schema(error: &SchemaError) -> Error {
    match error {
        SchemaError::AmbiguousReference { field } => {
            Error::new(SqlState::AMBIGUOUS_COLUMN, format!("column reference \"{}\" is ambiguous", field.name))
        }
        SchemaError::FieldNotFound { field, valid_fields } => match &field.relation {
            Some(relation)
                if !valid_fields.iter().any(|known| known.relation.as_ref().is_some_and(|known| known.table() == relation.table())) =>
            {
                Error::new(SqlState::UNDEFINED_TABLE, format!("missing FROM-clause entry for table \"{}\"", relation.table()))
            }
            _ => undefined_column(field),
        },
        SchemaError::DuplicateQualifiedField { qualifier, .. } => {
            Error::new(SqlState::DUPLICATE_ALIAS, format!("table name \"{}\" specified more than once", qualifier.table()))
        }
        SchemaError::DuplicateUnqualifiedField { name } => {
            Error::new(SqlState::DUPLICATE_COLUMN, format!("column name \"{name}\" is specified more than once"))
        }
    }
}

fn translate_arrow(error: ArrowError) -> Error {
    match error {
        ArrowError::ExternalError(inner) => match inner.downcast::<DataFusionError>() {
            Ok(nested) => translate(*nested),
            Err(other) => match other.downcast::<Error>() {
                Ok(own) => *own,
                Err(other) => Error::internal(other.to_string()),
            },
        },
        ArrowError::DivideByZero => Error::new(SqlState::DIVISION_BY_ZERO, "division by zero"),
        ArrowError::ArithmeticOverflow(_) => Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range"),
        ArrowError::CastError(message) | ArrowError::ParseError(message) => translate_cast(&message),
        ArrowError::MemoryError(_) => out_of_memory(),
        ArrowError::InvalidArgumentError(message) => translate_arrow_text(&message),
        ArrowError::NotYetImplemented(message) => Error::unsupported(tidy(&message)),
        other => translate_arrow_text(&other.to_string()),
    }
}

fn translate_arrow_text(message: &str) -> Error {
    if message.contains("Overflow") || message.contains("overflow") || message.contains("too large to store") {
        return Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range");
    }
    if message.contains("Divide by zero") {
        return Error::new(SqlState::DIVISION_BY_ZERO, "division by zero");
    }
    if message.contains("Regular expression") || message.contains("regex") {
        return Error::new(SqlState::INVALID_REGULAR_EXPRESSION, "invalid regular expression");
    }
    Error::new(SqlState::INVALID_PARAMETER_VALUE, tidy(message))
}

fn translate_cast(message: &str) -> Error {
    let state = if message.contains("overflow") || message.contains("out of range") || message.contains("Can't cast value") {
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE
    } else {
        SqlState::INVALID_TEXT_REPRESENTATION
    };
    Error::new(state, tidy(message))
}

/// What the planner says in words only. The texts are those of the version that Cargo.lock pins.
fn translate_plan(message: &str) -> Error {
    let has = |needle: &str| message.contains(needle);
    let error = |state| Error::new(state, tidy(message));
    if let Some((own, state)) = inner_error(message) {
        return Error::new(state, own);
    }
    if let Some(name) = message.strip_prefix("Invalid function '").and_then(|rest| rest.split('\'').next()) {
        return Error::new(SqlState::UNDEFINED_FUNCTION, format!("function {name} does not exist"));
    }
    if has("No function matches")
        || has("does not support zero arguments")
        || has("failed to match any signature")
        || has("Error during planning: Function")
    {
        return error(SqlState::UNDEFINED_FUNCTION);
    }
    if has("could not be resolved from available columns") || has("must be in the GROUP BY clause") || has("must appear in the GROUP BY") {
        return Error::new(SqlState::GROUPING_ERROR, "a column must appear in the GROUP BY clause or be used in an aggregate function");
    }
    if has("Aggregate functions are not allowed") {
        return Error::new(SqlState::GROUPING_ERROR, "aggregate functions are not allowed in WHERE");
    }
    if has("must appear in select list") {
        return Error::new(SqlState::INVALID_COLUMN_REFERENCE, "ORDER BY expressions must appear in the select list of SELECT DISTINCT");
    }
    if has("not in select list") || has("Cannot find column with position") || has("column out of bounds") {
        return Error::new(SqlState::INVALID_COLUMN_REFERENCE, "the position is not in the select list");
    }
    if has("Cannot coerce") || has("Cannot infer common argument type") || has("Cannot get result type") || has("common type to coerce") {
        return Error::new(SqlState::UNDEFINED_FUNCTION, "operator does not exist for the types of its arguments")
            .with_hint("You might need to add explicit type casts.");
    }
    if has("Unsupported CAST") || has("Cannot cast") {
        return error(SqlState::CANNOT_COERCE);
    }
    if has("same number of columns") || has("number of columns") || has("column counts") {
        return Error::new(SqlState::SYNTAX_ERROR, "each side of a set operation must have the same number of columns");
    }
    if has("Subquery should only return one column") || has("Too many columns") || has("should only return one column") {
        return Error::new(SqlState::SYNTAX_ERROR, "subquery must return only one column");
    }
    if has("Projections require unique expression names") {
        return Error::new(SqlState::DUPLICATE_ALIAS, "two columns of a subquery have the same name");
    }
    if has("WITH query name") || has("specified more than once") {
        return error(SqlState::DUPLICATE_ALIAS);
    }
    if has("Window") || has("window") {
        return error(SqlState::WINDOWING_ERROR);
    }
    if has("predicate") || has("must be boolean") || has("non-boolean") {
        return error(SqlState::DATATYPE_MISMATCH);
    }
    if has("Unsupported") || has("not supported") || has("not implemented") {
        return Error::unsupported(tidy(message));
    }
    error(SqlState::SYNTAX_ERROR)
}

/// An error of ours that the planner made part of its own text: `… External error: message (SQLSTATE 42883) …`.
fn inner_error(message: &str) -> Option<(String, SqlState)> {
    let (_, rest) = message.split_once("External error: ")?;
    let (own, rest) = rest.split_once(" (SQLSTATE ")?;
    let state: [u8; 5] = rest.as_bytes().get(..5)?.try_into().ok()?;
    Some((own.to_owned(), SqlState(state)))
}

fn translate_execution(message: &str) -> Error {
    if message.contains("more than one row") || message.contains("returned more than one") {
        return Error::new(SqlState::CARDINALITY_VIOLATION, "more than one row returned by a subquery used as an expression");
    }
    if message.contains("Compute error") || message.contains("overflow") || message.contains("Overflow") {
        return Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range");
    }
    if message.contains("Recursion limit") || message.contains("recursion") {
        return Error::new(SqlState::STATEMENT_TOO_COMPLEX, "the statement is too complex");
    }
    Error::new(SqlState::INVALID_PARAMETER_VALUE, tidy(message))
}

fn translate_internal(message: &str) -> Error {
    if message.contains("Physical plan does not support logical expression") {
        return Error::unsupported("a subquery in this place");
    }
    Error::internal(tidy(message))
}

/// Without the library's prefixes and its advice for developers.
fn tidy(message: &str) -> String {
    let mut text = message.trim();
    for prefix in [
        "Error during planning: ",
        "This feature is not implemented: ",
        "Execution error: ",
        "Arrow error: ",
        "Invalid argument error: ",
        "Internal error: ",
        "Cast error: ",
    ] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    let end = text.find("\n\nbacktrace").or_else(|| text.find(".\nThis issue was likely caused by a bug")).unwrap_or(text.len());
    text[..end].replace("DataFusion", "the engine").replace("sqltorel", "the planner")
}
