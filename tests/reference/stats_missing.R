# Reference answers of R's package mice for one group with missing follow-up.
# Run from the root of the repository (two minutes):
#   Rscript tests/reference/stats_missing.R > tests/reference/stats_missing.csv
# pool: mice::pool.scalar on estimates and variances (fixed numbers; no random draws).
# norm: mice::mice.impute.norm (Bayesian regression of after on before) drawn 40,000 times, the mean
#   change and its variance of each completed data set, pooled; `error` is the Monte Carlo standard
#   error of estimate, within and between.
suppressPackageStartupMessages(library(mice))
cat("# Made by tests/reference/stats_missing.R; do not edit.\n")
cat("# Command: Rscript tests/reference/stats_missing.R > tests/reference/stats_missing.csv\n")
cat("#", R.version.string, "; mice", format(packageVersion("mice")), "\n")
cat("set,quantity,value\n")
say <- function(set, quantity, value)
  cat(set, ",", quantity, ",", paste(sprintf("%.17g", value), collapse = " "), "\n", sep = "")

set.seed(1999)
for (n in c(6, 9, 20)) for (m in c(2, 5, 50)) {
  set <- paste0("pool_", n, "_", m)
  Q <- round(rnorm(m, -3, 0.8), 3); U <- round(rchisq(m, 8) / 8, 3)
  p <- pool.scalar(Q, U, n = n, k = 1)
  say(set, "n", n); say(set, "estimates", Q); say(set, "variances", U)
  say(set, "estimate", p$qbar); say(set, "within", p$ubar); say(set, "between", p$b)
  say(set, "total", p$t); say(set, "df", p$df); say(set, "fmi", p$fmi)
}
sets <- list(
  nine = list(before = c(12, 10, 16, 8, 14, 11, 9, 13, 20),
              after = c(6, 8, 8, 7, 9, 6, NA, NA, 12)),
  fourteen = list(before = c(3.1, 4.4, 2.2, 5.9, 1.8, 3.3, 2.7, 6.1, 4.0, 2.9, 3.6, 1.5, 7.2, 4.8),
                  after = c(1.9, 2.4, 2.5, NA, 1.1, 2.0, NA, 3.9, 1.2, NA, 2.6, 1.6, NA, 3.5)))
draws <- 40000
for (name in names(sets)) {
  x <- sets[[name]]$before; y <- sets[[name]]$after; ry <- !is.na(y)
  done <- replicate(draws, {
    z <- y; z[!ry] <- mice.impute.norm(y, ry, cbind(x)); d <- z - x
    c(mean(d), var(d) / length(d)) })
  Q <- done[1, ]; U <- done[2, ]
  say(name, "before", x); say(name, "after", y)
  say(name, "estimate", mean(Q)); say(name, "within", mean(U)); say(name, "between", var(Q))
  say(name, "error", c(sd(Q), sd(U), sd((Q - mean(Q))^2)) / sqrt(draws))
}
