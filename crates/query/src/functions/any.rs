//! `x IN (a, b, …)`: becomes the planner's own list, in the types that PostgreSQL would compare in, so that scans and joins can use it.

use crate::arithmetic::common;
use crate::cast::{Cast, literal_as};
use crate::context::QueryContext;
use crate::error::external;
use crate::native::{Form, Native, any_arguments};
use crate::operators::{fold_number, is_unknown};
use crate::types::{NUMERIC_PRECISION, PgType, oid};
use base::Error;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

#[derive(Debug)]
pub struct In {
    context: Arc<QueryContext>,
    native: Arc<ScalarUDF>,
    signature: Signature,
}

impl PartialEq for In {
    fn eq(&self, _: &In) -> bool {
        true
    }
}

impl Eq for In {}

impl Hash for In {
    fn hash<H: Hasher>(&self, state: &mut H) {
        "florin_in".hash(state);
    }
}

impl In {
    pub fn udf(context: Arc<QueryContext>) -> Arc<ScalarUDF> {
        let native = Native::udf("in", Form::InList, context.clone());
        Arc::new(ScalarUDF::new_from_impl(In { context, native, signature: any_arguments(Volatility::Immutable) }))
    }

    /// The list in one type; `None` where only the native evaluator knows how.
    fn as_list(&self, args: &[Expr], schema: &DFSchema) -> Result<Option<Expr>> {
        let args: Vec<Expr> = args.iter().cloned().map(fold_number).collect();
        let types: Vec<Option<PgType>> = args
            .iter()
            .map(|arg| if is_unknown(arg) { Ok(None) } else { Ok(Some(PgType::of_field(&arg.to_field(schema)?.1))) })
            .collect::<Result<_>>()?;
        let Some(target) = list_type(&types) else { return Ok(None) };
        let mut converted = Vec::with_capacity(args.len());
        for (arg, ty) in args.into_iter().zip(&types) {
            converted.push(match ty {
                None => literal_as(&arg, target, &self.context)?,
                Some(ty) if ty.oid == target.oid || (ty.is_string() && target.is_string()) => arg,
                Some(ty) if ty.is_number() && target.is_number() => arg,
                Some(_) => Cast::over(arg, target, &self.context),
            });
        }
        let carrier = carrier(&converted, target, schema)?;
        let mut items = converted
            .into_iter()
            .map(|arg| if arg.get_type(schema)? == carrier { Ok(arg) } else { arg.cast_to(&carrier, schema) })
            .collect::<Result<Vec<Expr>>>()?;
        let first = items.remove(0);
        if items.iter().all(is_constant) {
            return Ok(Some(Expr::InList(InList::new(Box::new(first), items, false))));
        }
        // The library takes two lists of the same column apart by how their items look, which says nothing of columns and of NULL.
        Ok(items.into_iter().map(|item| first.clone().eq(item)).reduce(Expr::or))
    }
}

/// A literal whose looks tell its value.
fn is_constant(item: &Expr) -> bool {
    match item {
        Expr::Literal(value, _) => !value.is_null(),
        Expr::Cast(cast) => is_constant(&cast.expr),
        _ => false,
    }
}

/// The type in which all are compared.
fn list_type(types: &[Option<PgType>]) -> Option<PgType> {
    let mut known = types.iter().flatten();
    let mut target = *known.next().unwrap_or(&PgType::of(oid::TEXT));
    for ty in known {
        target = match (target, *ty) {
            (a, b) if a.oid == b.oid => a,
            (a, b) if a.is_number() && b.is_number() => common(a, b),
            (a, b) if a.is_string() && b.is_string() => PgType::of(oid::TEXT),
            (a, b) if a.is_oid() && (b.is_oid() || b.is_integer()) => a,
            _ => return None,
        };
    }
    // Their order or equality is not that of their carrier.
    (!matches!(target.oid, oid::INTERVAL | oid::JSON | oid::JSONB | oid::BPCHAR) && target.element().is_none())
        .then_some(PgType::of(target.oid))
}

fn carrier(items: &[Expr], target: PgType, schema: &DFSchema) -> Result<DataType> {
    if target.oid != oid::NUMERIC {
        return target.arrow().ok_or_else(|| external(Error::internal("a list without a carrier")));
    }
    let mut scale = 0;
    for item in items {
        if let DataType::Decimal128(_, own) = item.get_type(schema)? {
            scale = scale.max(own);
        }
    }
    Ok(DataType::Decimal128(NUMERIC_PRECISION, scale))
}

impl ScalarUDFImpl for In {
    fn name(&self) -> &str {
        "florin_in"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        // Refuses what cannot be compared while the statement is planned, unless the list does without the evaluator.
        let plain = |field: &FieldRef| PgType::of_field(field).is_oid() || PgType::of_field(field).oid == oid::CHAR;
        if !args.arg_fields.iter().any(plain) {
            self.native.return_field_from_args(args)?;
        }
        Ok(crate::types::result_field("florin_in", PgType::of(oid::BOOL), DataType::Boolean))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        Ok(match self.as_list(&args, info.schema())? {
            Some(list) => ExprSimplifyResult::Simplified(list),
            None => ExprSimplifyResult::Original(args),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.native.invoke_with_args(args)
    }
}
