//! Cycles in directed graphs.

/// Edges `(from, to)` over nodes `0..nodes`, laid out by source.
pub struct Graph {
    starts: Vec<u32>,
    targets: Vec<u32>,
}

impl Graph {
    pub fn new(nodes: usize, edges: &[(u32, u32)]) -> Graph {
        let mut starts = vec![0u32; nodes + 1];
        for (from, _) in edges {
            starts[*from as usize + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut targets = vec![0; edges.len()];
        for (from, to) in edges {
            targets[next[*from as usize] as usize] = *to;
            next[*from as usize] += 1;
        }
        Graph { starts, targets }
    }

    fn nodes(&self) -> usize {
        self.starts.len() - 1
    }

    fn out(&self, node: u32) -> &[u32] {
        &self.targets[self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize]
    }

    /// Nodes that cannot be put in an order (Kahn, 1962): those on cycles or between cycles. Empty if there is no cycle.
    fn unordered(&self) -> Vec<u32> {
        let mut incoming = vec![0u32; self.nodes()];
        self.targets.iter().for_each(|to| incoming[*to as usize] += 1);
        let mut ready: Vec<u32> = (0..self.nodes() as u32).filter(|node| incoming[*node as usize] == 0).collect();
        while let Some(node) = ready.pop() {
            for to in self.out(node) {
                incoming[*to as usize] -= 1;
                if incoming[*to as usize] == 0 {
                    ready.push(*to);
                }
            }
        }
        (0..self.nodes() as u32).filter(|node| incoming[*node as usize] > 0).collect()
    }

    /// A short cycle as its nodes in order, if there is any.
    pub fn cycle(&self) -> Option<Vec<u32>> {
        let unordered = self.unordered();
        // Some of these may only lie behind a cycle: the shortest way back to itself is looked for from a few of them.
        let mut best: Option<Vec<u32>> = None;
        let mut tries = 0;
        for node in unordered {
            if let Some(path) = self.way_back(node) {
                tries += 1;
                if best.as_ref().is_none_or(|b| path.len() < b.len()) {
                    best = Some(path);
                }
                if tries >= 32 {
                    break;
                }
            }
        }
        best
    }

    /// Breadth first from `start` back to `start`.
    fn way_back(&self, start: u32) -> Option<Vec<u32>> {
        const NONE: u32 = u32::MAX;
        let mut previous = vec![NONE; self.nodes()];
        let mut queue = std::collections::VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            for to in self.out(node) {
                if *to == start {
                    let mut path = vec![node];
                    while path.last() != Some(&start) {
                        path.push(previous[*path.last().expect("it has at least one node") as usize]);
                    }
                    path.reverse();
                    return Some(path);
                }
                if previous[*to as usize] == NONE {
                    previous[*to as usize] = node;
                    queue.push_back(*to);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_in_order_has_no_cycle() {
        assert_eq!(Graph::new(4, &[(0, 1), (1, 2), (0, 2), (2, 3)]).cycle(), None);
        assert_eq!(Graph::new(0, &[]).cycle(), None);
    }

    #[test]
    fn the_shortest_cycle_is_shown() {
        let edges = [(0, 1), (1, 2), (2, 3), (3, 0), (2, 1), (3, 4)];
        let cycle = Graph::new(5, &edges).cycle().expect("there are two");
        assert_eq!(cycle.len(), 2);
        assert!(cycle.contains(&1) && cycle.contains(&2));
    }

    #[test]
    fn an_edge_to_itself_is_a_cycle() {
        assert_eq!(Graph::new(2, &[(1, 1)]).cycle(), Some(vec![1]));
    }
}
