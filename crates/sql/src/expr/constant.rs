//! Folding: what can be computed before there is a row.

use super::coerce::NEUTRAL;
use super::{Env, Expr, NoAmbient};
use crate::functions::Volatility;
use crate::types::NO_MODIFIER;

/// Computes a node whose children are all literals, if its value can never change. An error stays in the tree: it is raised if
/// and when the node is evaluated, as in `CASE WHEN x <> 0 THEN 1 / 0 END`.
pub(super) fn fold(expr: Expr) -> Expr {
    if !foldable(&expr, false) {
        return expr;
    }
    let env = Env::new(&NEUTRAL, &NoAmbient, &[]);
    match expr.eval(&(), &env) {
        Ok(value) => {
            let ty = expr.ty();
            Expr::literal(value, ty)
        }
        Err(_) => expr,
    }
}

fn foldable(expr: &Expr, stable: bool) -> bool {
    let own = match expr {
        Expr::Literal { .. } | Expr::Column { .. } | Expr::Parameter { .. } | Expr::Aggregate { .. } | Expr::Sequence { .. } => false,
        Expr::Call { function, .. } => function.volatility == Volatility::Immutable || stable && function.volatility == Volatility::Stable,
        // A cast with a modifier gives its column's modifier, which a literal would lose.
        Expr::Cast { cast, .. } => stable || cast.modifier == NO_MODIFIER && !cast.depends_on_session(),
        _ => true,
    };
    let mut literals = own;
    expr.children(&mut |child| literals = literals && matches!(child, Expr::Literal { .. }));
    literals
}

impl Expr {
    /// The same expression with everything computed that is fixed for one execution of a statement: parameters, `now()`,
    /// casts that depend on the time zone. Worth it before a scan.
    pub fn folded(mut self, env: &Env) -> Expr {
        let mut children_first = |child: &mut Expr| {
            let taken = std::mem::replace(child, Expr::null(crate::types::Type::Unknown));
            *child = taken.folded(env);
        };
        self.children_mut(&mut children_first);
        let ready = match &self {
            Expr::Parameter { index, .. } => *index < env.parameters.len(),
            other => foldable(other, true),
        };
        if !ready {
            return self;
        }
        match self.eval(&(), env) {
            Ok(value) => {
                let ty = self.ty();
                Expr::literal(value, ty)
            }
            Err(_) => self,
        }
    }
}
