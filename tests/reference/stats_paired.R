# Reference answers of R, coin and exactRankTests for tests of paired differences.
# Run from the root of the repository:
#   Rscript tests/reference/stats_paired.R > tests/reference/stats_paired.csv
# Differences are rounded to 9 decimals before they are ranked, because coin and exactRankTests
# would otherwise split decimal ties by binary noise.
suppressPackageStartupMessages({library(coin); library(exactRankTests)})
options(warn = -1)

cat("# Made by tests/reference/stats_paired.R; do not edit.\n")
cat("# Command: Rscript tests/reference/stats_paired.R > tests/reference/stats_paired.csv\n")
cat("#", R.version.string, "with coin", format(packageVersion("coin")), "and exactRankTests",
    format(packageVersion("exactRankTests")), "\n")
cat("set,quantity,value\n")

say <- function(set, quantity, value)
  cat(set, ",", quantity, ",", paste(sprintf("%.17g", value), collapse = " "), "\n", sep = "")

hollander_before <- c(1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30)
hollander_after  <- c(0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29)
i <- 1:30
sets <- list(
  sleep = with(sleep, extra[group == 2] - extra[group == 1]),   # Cushny & Peebles 1905
  depression = hollander_after - hollander_before,              # Hollander & Wolfe 1973
  activity = c(-8, -6, -4, -4, -4, -2, -2, -2, 0, 0, 2, -6, -8, -4, -2, 2, -10, -4, 0, -2),
  all_fall = c(-2, -3, -4, -5, -6, -7, -8, -9, -10),
  one_zero = c(-2, -3, -4, -5, -6, -7, -8, -9, 0),
  ordinal = (7 * i) %% 11 - 6,
  decimals = ((37 * i) %% 23 - 13) / 10,
  continuous = sin(i) + 0.2
)

for (set in names(sets)) {
  d <- round(sets[[set]], 9)
  say(set, "diff", d)
  zero <- rep(0, length(d))
  for (alternative in c("two.sided", "less", "greater")) {
    name <- function(x) paste(x, alternative, sep = ".")
    for (correct in c(TRUE, FALSE)) {
      w <- wilcox.test(d, exact = FALSE, correct = correct, alternative = alternative)
      say(set, name(if (correct) "normal_corrected" else "normal"), w$p.value)
      say(set, "V", w$statistic)
    }
    say(set, name("wilcox_exact"), wilcox.exact(d, alternative = alternative)$p.value)
    for (zeros in c("Pratt", "Wilcoxon")) {
      test <- function(distribution)
        wilcoxsign_test(d ~ zero, zero.method = zeros, distribution = distribution,
                        alternative = alternative)
      exact <- test("exact")
      say(set, name(paste0("coin_exact_", zeros)), pvalue(exact))
      say(set, name(paste0("coin_asymptotic_", zeros)), pvalue(test("asymptotic")))
      say(set, name(paste0("coin_z_", zeros)), statistic(exact))
    }
    s <- t.test(d, alternative = alternative)
    say(set, name("t"), c(s$p.value, s$statistic, s$parameter, s$estimate, s$conf.int))
    up <- sum(d > 0)
    say(set, name("sign"), binom.test(up, sum(d != 0), alternative = alternative)$p.value)
  }
  if (!any(d == 0) && !any(duplicated(abs(d)))) {
    w <- wilcox.test(d, exact = TRUE, conf.int = TRUE)
    say(set, "exact_interval", c(w$p.value, w$estimate, w$conf.int))
  }
}

# Ratio of geometric means: the t test of log ratios.
before <- c(2.1, 3.4, 1.2, 5.0, 2.7, 0.9, 4.4, 1.8, 3.1)
after <- c(1.5, 2.2, 1.3, 2.9, 2.7, 0.5, 3.0, 0.7, 2.4)
s <- t.test(log(after), log(before), paired = TRUE)
say("ratio", "before", before)
say("ratio", "after", after)
say("ratio", "t", c(exp(c(s$estimate, s$conf.int)), s$p.value))
