# Reference answers of R for P values adjusted for multiplicity.
# Run from the root of the repository:
#   Rscript tests/reference/stats_multiplicity.R > tests/reference/stats_multiplicity.csv
# Holm, Hochberg and Bonferroni: stats::p.adjust. Fixed sequence and parallel gatekeeping: the
# graphical procedure, written here from algorithm 2 of Bretz F, Maurer W, Brannath W, Posch M
# (2009) Stat Med 28:586-604 (figure 2 for the fixed sequence, figure 8 for two families of two).
cat("# Made by tests/reference/stats_multiplicity.R; do not edit.\n")
cat("# Command: Rscript tests/reference/stats_multiplicity.R > tests/reference/stats_multiplicity.csv\n")
cat("#", R.version.string, "\n")
cat("method,weights,pvalues,adjusted\n")

graph <- function(p, w, G) {
  n <- length(p); left <- rep(TRUE, n); adjusted <- rep(1, n); reached <- 0
  while (any(left & w > 0)) {
    ratio <- ifelse(left & w > 0, p / w, Inf)
    j <- which.min(ratio)
    reached <- max(reached, ratio[j])
    adjusted[j] <- min(1, reached)
    left[j] <- FALSE
    H <- matrix(0, n, n); v <- w
    for (l in which(left)) {
      v[l] <- w[l] + w[j] * G[j, l]
      for (k in which(left)) if (l != k && G[l, j] * G[j, l] < 1)
        H[l, k] <- (G[l, k] + G[l, j] * G[j, k]) / (1 - G[l, j] * G[j, l])
    }
    v[j] <- 0; w <- v; G <- H
  }
  adjusted
}
say <- function(method, w, p, a) cat(method, paste(w, collapse = " "),
  paste(sprintf("%.17g", p), collapse = " "), paste(sprintf("%.17g", a), collapse = " "), sep = ",")
line <- function(...) { say(...); cat("\n") }

set.seed(20030815)
for (n in c(1, 2, 3, 5, 8)) for (i in 1:6) {
  p <- signif(runif(n)^3, 3)
  if (i == 6) p <- sample(c(0.001, 0.0125, 0.025, 0.05, 1), n, replace = TRUE)  # ties and ends
  for (method in c("holm", "hochberg", "bonferroni"))
    line(method, rep(1, n), p, p.adjust(p, method))
  chain <- matrix(0, n, n); for (k in seq_len(n - 1)) chain[k, k + 1] <- 1
  line("hierarchical", rep(1, n), p, graph(p, c(1, rep(0, n - 1)), chain))
}
for (i in 1:12) {
  p <- signif(runif(4)^4, 3)
  f <- c(0.5, 0.8, 0.9)[1 + i %% 3]; s <- c(0.5, 0.7)[1 + i %% 2]
  G <- rbind(c(0, 0, s, 1 - s), c(0, 0, s, 1 - s), c(0, 0, 0, 1), c(0, 0, 1, 0))
  line("parallel", c(f, 1 - f, s, 1 - s), p, graph(p, c(f, 1 - f, 0, 0), G))
  w <- c(1, 2, 3, 4); share <- t(sapply(1:4, function(j) { x <- w; x[j] <- 0; x / sum(x) }))
  line("weighted holm", w, p, graph(p, w / sum(w), share))
}
