// Logical formulas of concepts that match a unit's masks, on packed bits.
//
// Both sides keep only images where something is on: a scene shows a few of the concepts, and a
// unit is on in a few of the images, so memory and time follow what is there, not images x
// concepts.
#pragma once

#include <cstdint>

namespace milan {

/// Masks of concepts, image by image; `which` rises within an image.
struct ConceptBits {
  const int64_t* starts;  // [images + 1] rows of each image
  const int64_t* which;   // [rows] concept of each row
  const uint64_t* bits;   // [rows, words]
  int64_t images, concepts, words;
};

/// Masks of units, unit by unit; `images` rises within a unit.
struct UnitBits {
  const int64_t* starts;  // [units + 1] rows of each unit
  const int64_t* images;  // [rows] image of each row
  const uint64_t* bits;   // [rows, words]
  int64_t units;
};

/// Pixels that each unit and each concept share.
void concept_overlaps(const UnitBits& units, const ConceptBits& concepts, int threads,
                      int64_t* both);  // [units, concepts]

constexpr int kLongestFormula = 8;
/// How a concept joins the formula before it; the order in which candidates are tried.
enum Join : int8_t { kOr = 0, kAnd = 1, kAndNot = 2, kNone = -1 };

/// The best formula of every unit by intersection over union, found by beam search: the best single
/// concepts, then `length` - 1 rounds that join any concept of the unit. Formulas that differ only
/// in the order of their parts are one; an extension that changes no pixel is none; of equally good
/// formulas the one found first stays.
void compose(const UnitBits& units, const ConceptBits& concepts, int beam, int length, int threads,
             int8_t* joins,     // [units, length] kOr for the first concept, kNone after the last
             int64_t* chosen,   // [units, length] concepts, -1 after the last
             int64_t* both,     // [units]
             int64_t* either);  // [units]

}  // namespace milan
