package report

import (
	"encoding/json"
	"io"
	"net/url"
)

// SARIF 2.1.0, as GitHub's code scanning reads it: a rule a check, a result for each check that failed; the places in the data are its message, as what is
// under version control is the contract.

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool struct {
		Driver sarifDriver `json:"driver"`
	} `json:"tool"`
	Results []sarifResult `json:"results"`
}

type sarifDriver struct {
	Name  string      `json:"name"`
	Rules []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID    string    `json:"id"`
	Short sarifText `json:"shortDescription"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Level        string            `json:"level"`
	Message      sarifText         `json:"message"`
	Locations    []sarifLocation   `json:"locations"`
	Fingerprints map[string]string `json:"partialFingerprints"`
}

type sarifLocation struct {
	Physical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region struct {
			Line int `json:"startLine"`
		} `json:"region"`
	} `json:"physicalLocation"`
}

// sarifResults is how many results GitHub keeps of a run.
const sarifResults = 5000

func writeSARIF(w io.Writer, rs []*Result) error {
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "tarn check", Rules: []sarifRule{}}
	index := map[string]int{}
	for _, r := range rs {
		for i := range r.Checks {
			if c := &r.Checks[i]; !has(index, c.Key) {
				index[c.Key] = len(run.Tool.Driver.Rules)
				run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{Clean(c.Key), sarifText{Clean(c.Text)}})
			}
		}
	}
	for i, f := range bad(rs) {
		if i == sarifResults {
			break
		}
		level := map[string]string{"error": "error", "warning": "warning", "info": "note"}[f.level()]
		res := sarifResult{RuleID: Clean(f.c.Key), RuleIndex: index[f.c.Key], Level: level, Message: sarifText{Clean(f.r.Subject) + ": " + f.c.Message() + "\n" + f.c.lines()},
			Fingerprints: map[string]string{"check/v1": fingerprint(f.r.Subject, f.c.Key)}}
		var at sarifLocation
		at.Physical.Artifact.URI, at.Physical.Region.Line = (&url.URL{Path: f.r.Path}).String(), max(f.c.Line, 1)
		res.Locations = []sarifLocation{at}
		run.Results = append(run.Results, res)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	return enc.Encode(sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

func has(m map[string]int, k string) bool {
	_, ok := m[k]
	return ok
}
