//! The types of a union's columns: the library knows only what carries them, and keeps each input's marks beside each other.

use crate::error::raise;
use crate::functions::typed;
use crate::operators::{is_unknown, type_name};
use crate::types::PgType;
use base::SqlState;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, Union};
use sql::types::Type;
use std::cell::Cell;
use std::sync::Arc;

/// The library would make texts of both sides of a union; PostgreSQL refuses, unless one is a literal that may still be either.
pub fn check(plan: &LogicalPlan) -> Result<()> {
    let check = |node: &LogicalPlan| {
        let LogicalPlan::Union(union) = node else { return Ok(TreeNodeRecursion::Continue) };
        for column in 0..union.schema.fields().len() {
            let typed = union
                .inputs
                .iter()
                .filter(|input| !is_open_column(input, column))
                .filter_map(|input| input.schema().fields().get(column).cloned());
            let types: Vec<PgType> =
                typed.filter(|field| *field.data_type() != DataType::Null).map(|field| PgType::of_field(&field)).collect();
            if let Some(other) = types.iter().find(|ty| ty.is_string() != types[0].is_string()) {
                let message = format!("UNION types {} and {} cannot be matched", type_name(types[0]), type_name(*other));
                return Err(raise(SqlState::DATATYPE_MISMATCH, message));
            }
        }
        Ok(TreeNodeRecursion::Continue)
    };
    plan.apply_with_subqueries(check).map(|_| ())
}

/// A literal without a type of its own.
fn is_open_column(plan: &LogicalPlan, column: usize) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => projection.expr.get(column).is_some_and(|expr| match expr {
            Expr::Alias(alias) => is_unknown(&alias.expr),
            other => is_unknown(other),
        }),
        LogicalPlan::Values(_) | LogicalPlan::EmptyRelation(_) => true,
        _ => false,
    }
}

/// Gives a column the same type and no origin in all inputs. What carries it is the same already.
pub fn unify(plan: LogicalPlan) -> Result<LogicalPlan> {
    let changed = Cell::new(false);
    let unified = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Union(union) => {
            // The analyzer gave each input the union's own schema; what an input says of itself is in its expressions.
            let own = |input: &Arc<LogicalPlan>| input.as_ref().clone().recompute_schema().map(Arc::new);
            let inputs = union.inputs.iter().map(own).collect::<Result<Vec<_>>>()?;
            let columns = differing(&inputs);
            if columns.is_empty() {
                return Ok(Transformed::no(LogicalPlan::Union(union)));
            }
            changed.set(true);
            let inputs = inputs.iter().map(|input| with_types(input, &columns).map(Arc::new)).collect::<Result<Vec<_>>>()?;
            Ok(Transformed::yes(LogicalPlan::Union(Union::try_new(inputs)?)))
        }
        other if changed.get() => other.recompute_schema().map(Transformed::yes),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(unified.data)
}

/// Columns about which the inputs say different things, and the type that they have together.
fn differing(inputs: &[Arc<LogicalPlan>]) -> Vec<(usize, PgType)> {
    let column = |column: usize| {
        let fields: Vec<_> = inputs.iter().filter_map(|input| input.schema().fields().get(column)).collect();
        let (first, rest) = fields.split_first()?;
        let same = rest.iter().all(|field| field.metadata() == first.metadata());
        let carried = rest.iter().all(|field| field.data_type() == first.data_type());
        if same || !carried {
            return None;
        }
        let types: Vec<PgType> = fields.iter().map(|field| PgType::of_field(field)).collect();
        Some((column, common(&types, first.data_type())))
    };
    (0..inputs.first().map_or(0, |input| input.schema().fields().len())).filter_map(column).collect()
}

fn common(types: &[PgType], carrier: &DataType) -> PgType {
    if types.iter().all(|ty| *ty == types[0]) {
        return types[0];
    }
    let known: Option<Vec<Type>> = types.iter().map(|ty| Type::from_oid(ty.oid)).collect();
    let common = known.and_then(|types| sql::expr::common_type(&types, "UNION").ok()).map(|ty| PgType::of(ty.oid()));
    let carries = |ty: &PgType| match (ty.arrow(), carrier) {
        (Some(DataType::Decimal128(..)), DataType::Decimal128(..)) => true,
        (Some(own), carrier) => own == *carrier,
        (None, _) => false,
    };
    common.filter(carries).unwrap_or_else(|| PgType::of_arrow(carrier))
}

fn with_types(input: &Arc<LogicalPlan>, columns: &[(usize, PgType)]) -> Result<LogicalPlan> {
    let schema = input.schema();
    let output = |index: usize| {
        let (qualifier, field) = schema.qualified_field(index);
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        match columns.iter().find(|(at, _)| *at == index) {
            Some((_, ty)) => typed(*ty).call(vec![column]).alias_qualified(qualifier.cloned(), field.name()),
            None => column,
        }
    };
    let outputs = (0..schema.fields().len()).map(output).collect();
    Projection::try_new(outputs, input.clone()).map(LogicalPlan::Projection)
}
