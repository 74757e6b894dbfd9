//! Scalar expressions that the native evaluator of `sql` computes, row by row, as functions of the vectorised engine.
//!
//! So that both paths mean the same, whatever has no kernel of its own here is bound and evaluated there: an operator, a
//! function call or a cast becomes a small syntax tree over columns `a0, a1, …` and literals.

use crate::context::QueryContext;
use crate::convert::{ColumnBuilder, ColumnReader};
use crate::error::{external, translate};
use crate::types::{NUMERIC_PRECISION, NUMERIC_SCALE, PgType, oid, result_field};
use base::{Error, Wall};
use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use sql::expr::{Ambient, Columns, Env, Parameters, Scope, ScopeColumn, bind};
use sql::types::Type;
use sql::value::Value;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// What is done with the arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    Call(String),
    Binary(ast::BinaryOperator),
    Unary(ast::UnaryOperator),
    /// The first argument as this type.
    Cast(PgType),
    /// A field of a date or time; the argument is the source.
    Extract(String),
    /// The pattern, and the escape character if there is one, follow the text.
    Like {
        insensitive: bool,
        escape: Option<String>,
    },
    Similar {
        escape: Option<String>,
    },
    /// The first argument in the list of the others.
    InList,
    /// SQL text of an expression over the one argument, which it calls by this name.
    Over {
        variable: String,
        expression: String,
    },
    /// `left op ANY (array)` or `ALL`.
    Quantified {
        op: ast::BinaryOperator,
        all: bool,
    },
}

/// Any number of arguments of any type: the evaluator's binder judges them.
pub fn any_arguments(volatility: Volatility) -> Signature {
    Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::VariadicAny], volatility)
}

/// A form over typed arguments.
#[derive(Debug)]
pub struct Native {
    name: String,
    form: Form,
    context: Arc<QueryContext>,
    signature: Signature,
}

impl PartialEq for Native {
    fn eq(&self, other: &Native) -> bool {
        self.form == other.form
    }
}

impl Eq for Native {}

impl Hash for Native {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.form.hash(state);
    }
}

/// The same arguments may give another result each time.
fn volatility(form: &Form) -> Volatility {
    match form {
        Form::Call(name)
            if matches!(name.as_str(), "random" | "clock_timestamp" | "timeofday" | "gen_random_uuid" | "setseed" | "pg_sleep") =>
        {
            Volatility::Volatile
        }
        _ => Volatility::Immutable,
    }
}

impl Native {
    pub fn udf(name: &str, form: Form, context: Arc<QueryContext>) -> Arc<ScalarUDF> {
        let signature = any_arguments(volatility(&form));
        Arc::new(ScalarUDF::new_from_impl(Native { name: name.to_owned(), form, context, signature }))
    }

    fn bind(&self, arguments: &[Argument<'_>]) -> Result<sql::expr::Expr, Error> {
        let mut scope = Scope::empty();
        let mut columns = Vec::new();
        let mut operands = Vec::with_capacity(arguments.len());
        for (index, argument) in arguments.iter().enumerate() {
            let name = match &self.form {
                Form::Over { variable, .. } => variable.clone(),
                _ => format!("a{index}"),
            };
            let ty = evaluator_type(argument.ty)?;
            columns.push(ScopeColumn { name: name.clone(), ty, modifier: argument.ty.modifier, hidden: false });
            operands.push(argument.literal().unwrap_or_else(|| ast::Expr::Identifier(ast::Ident::with_quote('"', name))));
        }
        scope.add(None, "arguments", columns, false);
        let tree = self.form.tree(operands);
        bind(&tree, &scope, &mut Parameters::default()).map_err(Error::from)
    }
}

impl Form {
    fn tree(&self, mut operands: Vec<ast::Expr>) -> ast::Expr {
        let mut next = || if operands.is_empty() { ast::Expr::Value(ast::Value::Null.with_empty_span()) } else { operands.remove(0) };
        let escape = |escape: &Option<String>| escape.clone().map(|text| ast::Value::SingleQuotedString(text).with_empty_span());
        match self {
            Form::Call(name) => crate::rewrite::call(name, operands),
            Form::Binary(op) => ast::Expr::BinaryOp { left: Box::new(next()), op: op.clone(), right: Box::new(next()) },
            Form::Unary(op) => ast::Expr::UnaryOp { op: *op, expr: Box::new(next()) },
            Form::Cast(ty) => ast::Expr::Cast {
                kind: ast::CastKind::Cast,
                expr: Box::new(next()),
                data_type: crate::rewrite::typenames::to_ast(*ty),
                array: false,
                format: None,
            },
            Form::Extract(field) => crate::rewrite::extract(field, next()),
            Form::Like { insensitive: false, escape: with } => {
                ast::Expr::Like { negated: false, any: false, expr: Box::new(next()), pattern: Box::new(next()), escape_char: escape(with) }
            }
            Form::Like { insensitive: true, escape: with } => ast::Expr::ILike {
                negated: false,
                any: false,
                expr: Box::new(next()),
                pattern: Box::new(next()),
                escape_char: escape(with),
            },
            Form::InList => {
                let expr = Box::new(next());
                ast::Expr::InList { expr, list: operands, negated: false }
            }
            Form::Over { expression, .. } => parse(expression),
            Form::Quantified { op, all: false } => {
                ast::Expr::AnyOp { left: Box::new(next()), compare_op: op.clone(), right: Box::new(next()), is_some: false }
            }
            Form::Quantified { op, all: true } => {
                ast::Expr::AllOp { left: Box::new(next()), compare_op: op.clone(), right: Box::new(next()) }
            }
            Form::Similar { escape: with } => {
                ast::Expr::SimilarTo { negated: false, expr: Box::new(next()), pattern: Box::new(next()), escape_char: escape(with) }
            }
        }
    }
}

/// Text that came from a syntax tree, so it is one again.
fn parse(expression: &str) -> ast::Expr {
    let parsed = Parser::new(&PostgreSqlDialect {}).try_with_sql(expression).and_then(|mut parser| parser.parse_expr());
    parsed.unwrap_or_else(|_| ast::Expr::Value(ast::Value::Null.with_empty_span()))
}

/// One argument: its type, and its value if that is a plain literal of the statement.
pub struct Argument<'a> {
    pub ty: PgType,
    /// Whether the field's metadata said the type; a literal of the statement has none.
    pub marked: bool,
    pub scalar: Option<&'a ScalarValue>,
}

impl<'a> Argument<'a> {
    pub fn new(field: &Field, scalar: Option<&'a ScalarValue>) -> Argument<'a> {
        Argument { ty: PgType::of_field(field), marked: PgType::marked(field.metadata()).is_some(), scalar }
    }

    /// A literal whose type the binder may still choose.
    fn literal(&self) -> Option<ast::Expr> {
        if self.marked {
            return None;
        }
        match self.scalar? {
            ScalarValue::Utf8(Some(text)) => Some(crate::rewrite::string(text.clone())),
            ScalarValue::Int64(Some(number)) if *number >= 0 => {
                Some(ast::Expr::Value(ast::Value::Number(number.to_string(), false).with_empty_span()))
            }
            scalar if scalar.is_null() => Some(ast::Expr::Value(ast::Value::Null.with_empty_span())),
            _ => None,
        }
    }
}

/// The evaluator's type: vectors are its arrays, the aliases of oid that it does not know are oids.
pub fn evaluator_type(ty: PgType) -> Result<Type, Error> {
    let oid = match ty.oid {
        oid::INT2_VECTOR => oid::INT2_ARRAY,
        oid::OID_VECTOR => oid::OID_ARRAY,
        oid::ACLITEM_ARRAY => oid::TEXT_ARRAY,
        oid::REGNAMESPACE | oid::REGROLE | oid::XID => oid::OID,
        oid::PG_NODE_TREE => oid::TEXT,
        oid => oid,
    };
    Type::from_oid(oid).ok_or_else(|| Error::unsupported(format!("the type with OID {}", ty.oid)))
}

/// The type and the carrier of what the bound expression computes.
fn result_type(form: &Form, bound: &sql::expr::Expr, arguments: &[Argument<'_>]) -> Result<(PgType, DataType), Error> {
    let ty = match bound.ty() {
        Type::Unknown => PgType::of(oid::TEXT),
        ty => PgType::with_modifier(ty.oid(), bound.modifier()),
    };
    let carrier = if ty.oid == oid::NUMERIC && ty.modifier < 0 {
        Some(DataType::Decimal128(NUMERIC_PRECISION, numeric_scale(form, arguments)))
    } else {
        ty.arrow()
    };
    let carrier = carrier.ok_or_else(|| Error::unsupported(format!("a result of type {}", bound.ty())))?;
    Ok((ty, carrier))
}

/// Fractional digits of a numeric result, where its type does not say.
fn numeric_scale(form: &Form, arguments: &[Argument<'_>]) -> i8 {
    let of_arguments =
        || arguments.iter().filter(|argument| argument.ty.oid == oid::NUMERIC).map(|argument| argument.ty.scale()).max().unwrap_or(0);
    let Form::Call(name) = form else { return NUMERIC_SCALE };
    match (name.as_str(), arguments) {
        ("ceil" | "ceiling" | "floor" | "sign", _) | ("round" | "trunc", [_]) => 0,
        ("round" | "trunc", [_, Argument { scalar: Some(ScalarValue::Int64(Some(digits))), .. }]) => (*digits).clamp(0, 37) as i8,
        ("abs" | "mod" | "round" | "trunc", _) => of_arguments(),
        _ => NUMERIC_SCALE,
    }
}

/// The wall clock and randomness: the engine runs outside of the deterministic cores.
struct Surroundings;

impl Ambient for Surroundings {
    fn wall(&self) -> Wall {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Wall(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    fn random(&self) -> u64 {
        RandomState::new().hash_one(0)
    }
}

/// One row of a batch.
struct BatchRow<'a> {
    readers: &'a [ColumnReader<'a>],
    row: usize,
}

impl Columns for BatchRow<'_> {
    fn column(&self, index: usize) -> base::Result<Value> {
        let reader = self.readers.get(index).ok_or_else(|| Error::internal(format!("argument {index} of a call")))?;
        reader.value(self.row).map_err(translate)
    }
}

impl ScalarUDFImpl for Native {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Err(external(Error::internal("a native function was asked for its type without its arguments")))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let arguments: Vec<Argument<'_>> =
            args.arg_fields.iter().zip(args.scalar_arguments).map(|(field, scalar)| Argument::new(field, *scalar)).collect();
        let bound = self.bind(&arguments).map_err(external)?;
        let (ty, carrier) = result_type(&self.form, &bound, &arguments).map_err(external)?;
        Ok(result_field(&self.name, ty, carrier))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalars: Vec<Option<&ScalarValue>> =
            args.args.iter().map(|argument| if let ColumnarValue::Scalar(scalar) = argument { Some(scalar) } else { None }).collect();
        let arguments: Vec<Argument<'_>> =
            args.arg_fields.iter().zip(&scalars).map(|(field, scalar)| Argument::new(field, *scalar)).collect();
        let bound = self.bind(&arguments).map_err(external)?;
        let constant = scalars.iter().all(Option::is_some) && self.signature.volatility != Volatility::Volatile;
        let rows = if constant { 1 } else { args.number_rows };
        let arrays: Vec<ArrayRef> = args.args.iter().map(|argument| argument.to_array(rows)).collect::<Result<_>>()?;
        let readers: Vec<ColumnReader<'_>> =
            arrays.iter().zip(&arguments).map(|(array, argument)| ColumnReader::new(array.as_ref(), argument.ty)).collect();
        let settings = self.context.evaluator_settings();
        let env = Env::new(&settings, &Surroundings, &[]);
        let mut builder = ColumnBuilder::new(args.return_field.data_type(), rows)?;
        for row in 0..rows {
            let value = bound.eval(&BatchRow { readers: &readers, row }, &env).map_err(external)?;
            builder.push_rounded(&value)?;
        }
        let array = builder.finish()?;
        if constant { Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)) } else { Ok(ColumnarValue::Array(array)) }
    }
}

/// A constant of the form over literals only, such as `'2024-01-01'::date`.
pub fn constant(form: Form, argument: ast::Expr, carrier: &DataType, context: &QueryContext) -> Result<ScalarValue, Error> {
    let tree = form.tree(vec![argument]);
    let bound = bind(&tree, &Scope::empty(), &mut Parameters::default()).map_err(Error::from)?;
    let settings = context.evaluator_settings();
    let value = bound.eval(&(), &Env::new(&settings, &Surroundings, &[]))?;
    let mut builder = ColumnBuilder::new(carrier, 1).map_err(translate)?;
    builder.push_rounded(&value).map_err(translate)?;
    ScalarValue::try_from_array(&builder.finish().map_err(translate)?, 0).map_err(translate)
}
