// Package house holds the rules of the repository as tests: who may import
// whom, that every package says what it is for, and how large things may grow.
package house
