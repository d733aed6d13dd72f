# Reference answers of R for the exact binomial test against a reference rate.
# Run from the root of the repository:
#   Rscript tests/reference/stats_binomial_test.R > tests/reference/stats_binomial_test.csv
cat("# Made by tests/reference/stats_binomial_test.R; do not edit.\n")
cat("# Command: Rscript tests/reference/stats_binomial_test.R > tests/reference/stats_binomial_test.csv\n")
cat("#", R.version.string, "\n")
cat("x,n,rate,alternative,p,lower,upper\n")
for (n in c(1, 6, 9, 20, 57, 300)) for (x in unique(round(n * c(0, 0.1, 0.3, 0.5, 0.8, 1))))
  for (rate in c(0.01, 0.1, 0.25, 0.5, 0.7, 0.95))
    for (alternative in c("two.sided", "less", "greater")) {
      b <- binom.test(x, n, rate, alternative = alternative)
      cat(paste(x, n, rate, alternative, sprintf("%.17g", b$p.value), sprintf("%.17g", b$conf.int[1]),
                sprintf("%.17g", b$conf.int[2]), sep = ","), "\n", sep = "")
    }
