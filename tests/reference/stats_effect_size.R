# Reference answers of R for standardised effects and for quantiles of type 2.
# Run from the root of the repository:
#   Rscript tests/reference/stats_effect_size.R > tests/reference/stats_effect_size.csv
cat("# Made by tests/reference/stats_effect_size.R; do not edit.\n")
cat("# Command: Rscript tests/reference/stats_effect_size.R > tests/reference/stats_effect_size.csv\n")
cat("#", R.version.string, "\n")
cat("set,quantity,value\n")
options(warn = -1)

say <- function(set, quantity, value)
  cat(set, ",", quantity, ",", paste(sprintf("%.17g", value), collapse = " "), "\n", sep = "")

i <- 1:30
sets <- list(
  sleep = with(sleep, extra[group == 2] - extra[group == 1]),
  activity = c(-8, -6, -4, -4, -4, -2, -2, -2, 0, 0, 2, -6, -8, -4, -2, 2, -10, -4, 0, -2),
  three = c(1, 2, 4),
  decimals = ((37 * i) %% 23 - 13) / 10
)
for (set in names(sets)) {
  d <- round(sets[[set]], 9)
  n <- length(d)
  t <- mean(d) / sd(d) * sqrt(n)
  limit <- function(p) uniroot(function(ncp) pt(t, n - 1, ncp) - p, c(t - 15, t + 15),
                               tol = 1e-13)$root
  j <- exp(lgamma((n - 1) / 2) - lgamma((n - 2) / 2)) / sqrt((n - 1) / 2)
  dz <- c(t, limit(0.975), limit(0.025)) / sqrt(n)
  say(set, "diff", d)
  say(set, "cohen_dz", dz)
  say(set, "hedges_g", j * dz)
  say(set, "quartiles", quantile(d, c(0.25, 0.5, 0.75), type = 2, names = FALSE))
  say(set, "mean_sd_range", c(mean(d), sd(d), range(d)))
}
