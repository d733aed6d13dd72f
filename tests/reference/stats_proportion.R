# Reference answers of R for intervals of a share of patients.
# Run from the root of the repository:
#   Rscript tests/reference/stats_proportion.R > tests/reference/stats_proportion.csv
cat("# Made by tests/reference/stats_proportion.R; do not edit.\n")
cat("# Command: Rscript tests/reference/stats_proportion.R > tests/reference/stats_proportion.csv\n")
cat("#", R.version.string, "\n")
cat("x,n,conf_level,method,alternative,lower,upper\n")
options(warn = -1)

say <- function(x, n, level, method, alternative, limits)
  cat(paste(x, n, level, method, alternative, sprintf("%.17g", limits[1]),
            sprintf("%.17g", limits[2]), sep = ","), "\n", sep = "")

for (n in c(1, 6, 9, 17, 40)) for (x in unique(round(n * c(0, 0.2, 0.5, 0.9, 1))))
  for (level in c(0.8, 0.95, 0.99)) {
    for (alternative in c("two.sided", "greater", "less")) {
      b <- binom.test(x, n, alternative = alternative, conf.level = level)
      say(x, n, level, "clopper_pearson", alternative, b$conf.int)
      w <- prop.test(x, n, alternative = alternative, conf.level = level, correct = FALSE)
      say(x, n, level, "wilson", alternative, w$conf.int)
    }
    tail <- (1 - level) / 2
    say(x, n, level, "jeffreys", "two.sided",
        c(if (x == 0) 0 else qbeta(tail, x + 0.5, n - x + 0.5),
          if (x == n) 1 else qbeta(1 - tail, x + 0.5, n - x + 0.5)))
  }
